/* The list of questions, filtered by the form; some at a time. */
{
  const PAGE = 20
  const data = JSON.parse(document.getElementById("data").textContent)
  const form = document.querySelector(".filters")
  const [list, told, more] = ["list", "count", "more"].map((id) => document.getElementById(id))

  /** Whether an arm has this verdict under each of its seeds; `true` if no arm is chosen. */
  const isAll = (question, arm, verdict) => {
    const runs = question.runs.filter((run) => run.arm === Number(arm))
    return arm === "" || (runs.length > 0 && runs.every(({ correct }) => correct === verdict))
  }

  /** All texts of a question in lower case, to be searched. */
  const textOf = (question) =>
    [
      question.id,
      question.text ?? "",
      ...question.options,
      ...question.answers,
      ...question.runs.flatMap(({ said, top, written }) => [
        said,
        written,
        ...top.map(([id]) => Object.hasOwn(data.passages, id) ? data.passages[id] : id)
      ])
    ].join("\n").toLowerCase()

  let shown = []
  let next = 0
  let wanted = ""

  const showMore = () => {
    const first = list.childElementCount
    for (const question of shown.slice(next, next + PAGE)) list.append(questionOf(data, question, wanted))
    next = Math.min(shown.length, next + PAGE)
    more.hidden = next >= shown.length
    told.textContent = `${shown.length} of ${data.questions.length} questions fit; ${next} are shown.`
    return list.children[first]
  }

  /** Filters that are chosen, each as a test of a question. */
  const tests = () => {
    const of = (name) => form.elements[name].value
    const [right, wrong, type] = [of("right"), of("wrong"), of("type")]
    return [
      (question) => isAll(question, right, 1),
      (question) => isAll(question, wrong, 0),
      (question) => type === "" || question.type === type,
      (question) => !form.elements.inconsistent.checked || question.inconsistent.length > 0,
      (question) => !form.elements.unsupported.checked || question.runs.some(({ supported }) => supported === false),
      (question) => wanted === "" || textOf(question).includes(wanted)
    ]
  }

  const filter = () => {
    wanted = form.elements.text.value.trim().toLowerCase()
    const chosen = tests()
    shown = data.questions.filter((question) => chosen.every((test) => test(question)))
    next = 0
    list.replaceChildren()
    showMore()
  }

  if (form) {
    for (const type of new Set(data.questions.map((question) => question.type))) {
      if (type !== "") form.elements.type.append(element("option", { value: type }, type))
    }
    form.addEventListener("submit", (event) => event.preventDefault())
    form.addEventListener("input", filter)
    more.addEventListener("click", () => showMore()?.querySelector("summary")?.focus())
    filter()
  }
}
