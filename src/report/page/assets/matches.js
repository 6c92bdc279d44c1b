/* Tokens of a query and of a passage: whichever is pointed at, or has the focus, shows what it matches in the other. */
const tokenOf = (text, i) =>
  element("span", { class: "token", tabindex: i === 0 ? "0" : "-1", role: "listitem" }, text.replace(/^##/, ""))

const tokenList = (label, tokens) =>
  element("div", { class: "tokens", role: "list", "aria-label": label }, ...tokens.map(tokenOf))

/** Arrow keys go from token to token; the list as a whole is one stop of the tab key. */
const walk = (list) =>
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1 }
    const tokens = [...list.children]
    const to = tokens[tokens.indexOf(event.target) + (steps[event.key] ?? NaN)]
    if (!to) return
    event.preventDefault()
    event.target.tabIndex = -1
    to.tabIndex = 0
    to.focus()
  })

/** Both lists, for questionView.js. */
// oxlint-disable-next-line no-unused-vars
const matchesOf = (query, { best, similarity, tokens }) => {
  const [asked, found] = [tokenList("Tokens of the query", query), tokenList("Tokens of the passage", tokens)]
  const told = element("p", { class: "muted", role: "status" }, "Point at a token, or go to it by tab and arrow keys.")
  for (const place of new Set(best)) found.children[place]?.classList.add("matched")
  /** Places of the query's tokens, and of the passage's, that go with a token. */
  const partners = (list, i) =>
    list === asked ? [[i], [best[i]]] : [[...best.keys()].filter((own) => best[own] === i), [i]]
  const show = (list, i) => {
    const [left, right] = partners(list, i)
    for (const [own, places] of [[asked, left], [found, right]]) {
      for (const [place, token] of [...own.children].entries()) token.classList.toggle("lit", places.includes(place))
    }
    told.textContent = left.length === 0
      ? `${tokens[i]} is no token's best match`
      : left.map((own) => `${query[own]} → ${tokens[best[own]] ?? "none"} (${similarity[own].toFixed(2)})`).join(", ")
  }
  for (const list of [asked, found]) {
    walk(list)
    for (const kind of ["focusin", "pointerover"]) {
      list.addEventListener(kind, ({ target }) => {
        const i = [...list.children].indexOf(target)
        if (i >= 0) show(list, i)
      })
    }
  }
  return element(
    "details",
    { class: "matches" },
    element("summary", {}, "Matches of tokens"),
    element("p", { class: "muted" }, "The query"),
    asked,
    element("p", { class: "muted" }, "The passage, as far as it is encoded; framed tokens are the best match of one of the query's"),
    found,
    told
  )
}
