/* The picture of a question beside those of the passages that each arm found, with what each of these leads to. */

/** A picture of the page, or what stands for it. */
const pictureOf = ({ pictures }, place, alt) =>
  place === undefined
    ? element("span", { class: "nopicture muted" }, "(not in this page)")
    : element("img", { src: pictures[place], alt, loading: "lazy" })

const captionOf = ({ passages }, id, wanted) =>
  Object.hasOwn(passages, id) ? element("p", { class: "caption" }, ...marked(passages[id], wanted)) : ""

/** What a passage leads to by itself, in short. */
const leadsTo = (alone, id) => {
  if (!alone || !Object.hasOwn(alone, id)) return ""
  const [said, right] = alone[id]
  const verdict = `${right === 1 ? "✓" : "✗"} ${said || "no answer"}`
  return element("p", { class: right === 1 ? "right" : "wrong" }, `→ ${verdict}`)
}

const cardOf = (data, alone, [id, score], rank, wanted) => {
  const place = Object.hasOwn(data.pictured, id) ? data.pictured[id] : undefined
  return element(
    "li",
    {},
    pictureOf(data, place, `Picture of passage ${id}`),
    captionOf(data, id, wanted),
    element("p", { class: "muted" }, `${rank}. ${id}, ${Number(score.toPrecision(3))}`),
    leadsTo(alone, id)
  )
}

/** The passages of a run in a row, now or before training. */
const rowOf = (data, run, own, when, wanted) => {
  const { name, reads } = data.arms[run.arm]
  const shown = own.top.slice(0, reads || own.top.length)
  return element(
    "div",
    { class: "found" },
    element(
      "p",
      {},
      element("strong", {}, `${name}, seed ${run.seed}${when}: `),
      own.correct === null ? "" : verdictOf(own),
      own.said === "" ? "" : ` (${own.said})`
    ),
    element("ol", {}, ...shown.map((one, i) => cardOf(data, own.alone, one, i + 1, wanted)))
  )
}

const rowsOf = (data, run, wanted) => [
  ...(run.before ? [rowOf(data, run, run.before, ", before training", wanted)] : []),
  rowOf(data, run, run, "", wanted)
]

/** Pictures side by side; of each arm its first seed, the others to be opened. For questionView.js. */
// oxlint-disable-next-line no-unused-vars
const picturesOf = (data, question, wanted) => {
  const found = question.runs.flatMap(({ before, top }) => [...top, ...(before?.top ?? [])])
  if (question.picture === undefined && !found.some(([id]) => Object.hasOwn(data.pictured, id))) return ""
  const isFirst = (run, i) => question.runs.findIndex(({ arm }) => arm === run.arm) === i
  const rows = (runs) => runs.filter(({ top }) => top.length > 0).flatMap((run) => rowsOf(data, run, wanted))
  const others = rows(question.runs.filter((run, i) => !isFirst(run, i)))
  return element(
    "div",
    { class: "pictured" },
    element(
      "div",
      { class: "asked" },
      pictureOf(data, question.picture, "Picture of the question"),
      element("p", { class: "muted" }, question.answers.length === 0 ? "asked about" : `asked about; right: ${question.answers[0]}`)
    ),
    element(
      "div",
      {},
      ...rows(question.runs.filter(isFirst)),
      others.length === 0 ? "" : element("details", {}, element("summary", {}, "Other seeds"), ...others)
    )
  )
}
