"use strict"
/* The theme switch: the system's theme unless another is chosen, which is kept where the browser allows it. */
{
  const choice = document.querySelector(".theme")
  const KEY = "anamnesis-report-theme"
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme)
    } catch {
      /* A page opened from a file may not keep anything. */
    }
  }
  const kept = () => {
    try {
      return localStorage.getItem(KEY)
    } catch {
      return null
    }
  }
  const show = (theme) => {
    document.documentElement.dataset.theme = theme
    for (const input of choice.querySelectorAll("input")) input.checked = input.value === theme
  }
  choice.hidden = false
  choice.addEventListener("change", ({ target }) => {
    show(target.value)
    keep(target.value)
  })
  const before = kept()
  if (before === "light" || before === "dark") show(before)
}
