/* One question as elements. All that was written by people or models goes in as text, never as HTML. */
const element = (name, attributes, ...children) => {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(key, value)
  made.append(...children.filter((child) => child !== undefined && child !== ""))
  return made
}

/** The text with what is searched for marked. */
const marked = (text, wanted) => {
  const parts = []
  const lower = text.toLowerCase()
  let from = 0
  /* Where lower case is of another length, places would not fit: nothing is marked. */
  if (wanted !== "" && lower.length === text.length) {
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
      parts.push(text.slice(from, at), element("mark", {}, text.slice(at, at + wanted.length)))
      from = at + wanted.length
    }
  }
  return [...parts, text.slice(from)]
}

const verdictOf = ({ correct }) =>
  correct === null
    ? element("span", { class: "muted" }, "not judged")
    : element("span", { class: correct === 1 ? "right" : "wrong" }, correct === 1 ? "✓ right" : "✗ wrong")

/** Probabilities of options, from their negative log-likelihoods. */
const probabilitiesOf = (nll) => {
  const weights = nll.map((own) => Math.exp(Math.min(...nll) - own))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => `${(100 * weight / sum).toFixed(0)}%`)
}

/** What a passage leads to by itself. */
const aloneOf = ({ alone }, id) => {
  if (!alone || !Object.hasOwn(alone, id)) return ""
  const [said, right] = alone[id]
  return element(
    "p",
    { class: "muted" },
    "By itself it leads to: ",
    element("span", { class: right === 1 ? "right" : "wrong" }, `${right === 1 ? "✓" : "✗"} ${said || "no answer"}`)
  )
}

const signed = (value) => `${value > 0 ? "+" : ""}${value.toFixed(2)}`.replace("-", "−")

/** How a passage changes the likelihood of the right answer. */
const influenceOf = ({ influence }, id) => {
  if (!influence || !Object.hasOwn(influence, id)) return ""
  const [alone, beside] = influence[id]
  return element(
    "p",
    { class: "muted" },
    `Log-likelihood of the right answer: ${signed(alone)} by itself, ${signed(beside)} beside the other passages`
  )
}

const passageOf = (data, question, run, [id, score], rank, wanted) => {
  const { reads } = data.arms[run.arm]
  const text = Object.hasOwn(data.passages, id) ? data.passages[id] : undefined
  return element(
    "li",
    {},
    element(
      "div",
      { class: "head" },
      element("span", {}, `score ${score}`),
      element("span", {}, id),
      question.gold.includes(id) ? element("span", { class: "badge gold" }, "gold") : "",
      reads !== null && rank <= reads ? element("span", { class: "badge" }, "read") : ""
    ),
    text === undefined
      ? element("p", { class: "muted" }, "(its text is not in this page)")
      : element("p", {}, ...marked(text, wanted)),
    aloneOf(run, id),
    influenceOf(run, id),
    run.matches && Object.hasOwn(run.matches, id) ? matchesOf(run.query, run.matches[id]) : ""
  )
}

const goldText = ({ gold }, { found, goldRanks }) => {
  if (gold.length === 0) return "no gold passage is known"
  if (found === 0) return "nothing was retrieved"
  return goldRanks.length === 0 ? `no gold passage among the first ${found}` : `gold at rank ${goldRanks.join(", ")}`
}

const runOf = (data, question, run, wanted) => {
  const { name } = data.arms[run.arm]
  const items = run.top.map((own, i) => passageOf(data, question, run, own, i + 1, wanted))
  const shares = run.nll.length > 0 && run.nll.length === question.options.length ? probabilitiesOf(run.nll) : []
  return element(
    "div",
    { class: "run" },
    element("h4", {}, `${name}, seed ${run.seed}: `, run.correct === null ? "" : verdictOf(run)),
    element("p", {}, run.correct === null && run.said === "" ? "No answer was asked for. " : "Answer: ", ...marked(run.said, wanted)),
    run.written === "" ? "" : element("p", {}, "Written: ", ...marked(run.written, wanted)),
    shares.length === 0
      ? ""
      : element("p", {}, `Probabilities: ${question.options.map((option, i) => `${option} ${shares[i]}`).join(", ")}`),
    element("p", { class: "muted" }, goldText(question, run)),
    items.length === 0 ? "" : element(
      "details",
      { open: "" },
      element("summary", {}, `The first ${items.length} of ${run.found} passages`),
      element("ol", { class: "passages" }, ...items)
    )
  )
}

const optionsOf = ({ options, right }, wanted) =>
  element(
    "ol",
    { class: "options", type: "A" },
    ...options.map((option, i) =>
      element(
        "li",
        i === right ? { class: "right" } : {},
        ...marked(option, wanted),
        i === right ? " (right)" : ""
      )
    )
  )

/** What is inside of a question that is opened. */
const insideOf = (data, question, wanted) =>
  element(
    "div",
    { class: "inside" },
    element("p", { class: "muted" }, `Id ${question.id}${question.type === "" ? "" : `; type ${question.type}`}`),
    question.options.length > 0
      ? optionsOf(question, wanted)
      : element("p", {}, "Right: ", ...marked(question.answers.join("; ") || "not known", wanted)),
    picturesOf(data, question, wanted),
    ...question.runs.map((run) => runOf(data, question, run, wanted))
  )

/** A question: its text and verdicts; the rest is made when it is opened. For questionList.js. */
// oxlint-disable-next-line no-unused-vars
const questionOf = (data, question, wanted) => {
  const tags = question.runs.map((run) =>
    `${data.arms[run.arm].name} ${run.seed}: ${run.correct === null ? "not judged" : run.correct === 1 ? "✓ right" : "✗ wrong"}`
  )
  const made = element(
    "details",
    { class: "question" },
    element(
      "summary",
      {},
      element("h3", {}, ...marked(question.text ?? `Question ${question.id}`, wanted)),
      element("span", { class: "tags" }, tags.join(" · "))
    )
  )
  made.addEventListener("toggle", () => made.append(insideOf(data, question, wanted)), { once: true })
  return made
}
