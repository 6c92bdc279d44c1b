/** Outcomes as printed tables. */
import { answers, type Summary } from "../domain/judge.ts"
import * as Metric from "../domain/Metric.ts"
import { markdown } from "../domain/textTable.ts"
import type { Outcome } from "../programs/experiments/experiment.ts"

const share = (value: number | null | undefined): string => value?.toFixed(3) ?? "-"
const bounds = (interval: Metric.Interval | null): string =>
  interval?.low == null ? "-" : `[${share(interval.low)}, ${share(interval.high)}]`

/** Outcomes grouped by arm, over all seeds. */
const byArm = (outcomes: ReadonlyArray<Outcome>) => [...Map.groupBy(outcomes, (o) => o.arm)]

/** The answers of all seeds of an arm, keyed by seed and question id. */
const answersOf = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<Metric.Keyed> =>
  outcomes.flatMap(({ evaluation, seed }) =>
    answers(evaluation.judged).map(({ group, key, value }) => ({ group, value, key: `seed ${seed}, ${key}` }))
  )

type Figure = (summary: Summary) => number | null

/** A figure after training, preceded by its value before training if that was evaluated. */
const change = (outcomes: ReadonlyArray<Outcome>, figure: Figure): string => {
  const after = share(Metric.mean(outcomes.map((o) => figure(o.evaluation.summary))))
  const before = Metric.mean(outcomes.map((o) => o.before ? figure(o.before) : null))
  return before === null ? after : `${share(before)} → ${after}`
}

/** Columns that are shown only if they contain something. */
const counts: ReadonlyArray<readonly [name: string, count: (s: Summary) => number]> = [
  ["unparsed", ({ unparsed }) => unparsed.count],
  ["skipped", ({ skipped }) => skipped]
]

const countsOf = (summaries: ReadonlyArray<Summary>) =>
  counts.filter(([, count]) => summaries.some((s) => count(s) > 0))

const whole = (values: ReadonlyArray<number | null>): string => Metric.mean(values)?.toFixed(0) ?? "-"

const figures: ReadonlyArray<readonly [name: string, figure: Figure]> = [
  ["MRR@100", (s) => s["mrr@100"]],
  ["recall@1", (s) => s.recall["recall@1"]!],
  ["recall@5", (s) => s.recall["recall@5"]!],
  ["recall@10", (s) => s.recall["recall@10"]!]
]

/** Accuracy with its 95% interval (resampling question groups), ranking of gold passages, and training time. */
export const results = (outcomes: ReadonlyArray<Outcome>): string => {
  const shown = countsOf(outcomes.map((o) => o.evaluation.summary))
  const names = [...shown, ...figures].map(([name]) => name)
  const row = (arm: string, own: ReadonlyArray<Outcome>) => {
    const accuracy = Metric.interval(answersOf(own))
    const sum = (count: (s: Summary) => number) => own.reduce((total, o) => total + count(o.evaluation.summary), 0)
    return [arm, share(accuracy?.mean), bounds(accuracy)].concat(
      shown.map(([, count]) => String(sum(count))),
      figures.map(([, figure]) => change(own, figure)),
      whole(own.map((o) => o.trained.seconds)),
      whole(own.map((o) => o.trained.questionsPerSecond))
    )
  }
  return markdown([
    ["arm", "accuracy", "95% interval", ...names, "seconds", "questions/s"],
    ...byArm(outcomes).map(([arm, own]) => row(arm, own))
  ])
}

/** Accuracy by question type; `undefined` if no question has one. */
export const types = (outcomes: ReadonlyArray<Outcome>): string | undefined => {
  const judged = (own: ReadonlyArray<Outcome>) => own.flatMap((o) => o.evaluation.judged)
  const names = [...new Set(judged(outcomes).map((j) => j.type))].toSorted()
  if (names.every((type) => type === "")) return undefined
  return markdown([
    ["arm", ...names.map((type) => type || "(no type)")],
    ...byArm(outcomes).map(([arm, own]) => {
      const all = Map.groupBy(judged(own), (j) => j.type)
      const accuracy = (type: string) => share(Metric.mean((all.get(type) ?? []).map((j) => j.correct)))
      return [arm].concat(names.map(accuracy))
    })
  ])
}

/** Why two arms are not compared. */
const told = (from: string, to: string, { unpaired }: Metric.Unpaired): string =>
  `${from} and ${to} are not compared: ${unpaired.length} questions were answered by one of them alone, or are of other `
  + `groups in the other (first: ${unpaired[0]!}).`

/** Differences in accuracy between consecutive arms, over the same questions and seeds, by paired bootstrap. */
export const comparisons = (outcomes: ReadonlyArray<Outcome>): string => {
  const arms = byArm(outcomes)
  const notes: Array<string> = []
  const rows = arms.slice(1).map(([to, b], i) => {
    const [from, a] = arms[i]!
    const found = Metric.compare(answersOf(a), answersOf(b))
    if (found === null) return [from, to, "-", "-", "-"]
    if (!("unpaired" in found)) return [from, to, share(found.mean), bounds(found), share(found.p)]
    notes.push(told(from, to, found))
    return [from, to, "-", "-", "-"]
  })
  return [markdown([["from", "to", "difference", "95% interval", "p"], ...rows]), ...notes].join("\n\n")
}

/** All tables of an experiment: that of types only where questions have one. */
export const all = (outcomes: ReadonlyArray<Outcome>): string =>
  [results(outcomes), types(outcomes), comparisons(outcomes)].filter((table) => table !== undefined).join("\n\n")

/** A single evaluation. */
export const summary = (s: Summary): string => {
  const { accuracy, debiased_accuracy, order_dependent, questions, ranked, recall } = s
  const orders = Object.entries({ debiased_accuracy, order_dependent }).flatMap(([name, own]) =>
    own ? [[name, own] as const] : []
  )
  const shown = countsOf([s])
  return markdown([
    ["questions", ...shown.map(([name]) => name), "accuracy", "95% interval", ...orders.map(([name]) => name)].concat(
      "ranked",
      "MRR@100",
      "nDCG@10",
      Object.keys(recall)
    ),
    [
      String(questions),
      ...shown.map(([, count]) => String(count(s))),
      share(accuracy?.mean),
      bounds(accuracy),
      ...orders.map(([, own]) => share(own.mean)),
      String(ranked),
      share(s["mrr@100"]),
      share(s["ndcg@10"]),
      ...Object.values(recall).map(share)
    ]
  ])
}
