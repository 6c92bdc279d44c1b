/** Outcomes as the tables people read. */
import * as Metric from "./domain/Metric.ts"
import type { Outcome } from "./experiment.ts"
import { mean, type Summary } from "./judge.ts"

const share = (value: number): string => Number.isNaN(value) ? "-" : value.toFixed(3)
const whole = (value: number): string => Number.isNaN(value) ? "-" : value.toFixed(0)
const bounds = ({ high, low }: Metric.Interval): string => `[${share(low)}, ${share(high)}]`

/** The outcomes of each arm, all seeds together. */
const byArm = (outcomes: ReadonlyArray<Outcome>) => [...Map.groupBy(outcomes, (o) => o.arm)]

/** Rows as a Markdown table, columns aligned. */
export const markdown = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)))
  const lines = rows.map((row) => `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(" | ")} |`)
  return [lines[0], `|${widths.map((w) => "-".repeat(w + 2)).join("|")}|`, ...lines.slice(1)].join("\n")
}

const judgedOf = (outcomes: ReadonlyArray<Outcome>) => outcomes.flatMap((o) => o.evaluation.judged)

/** Before training and after, where training changed it. */
const change = (outcomes: ReadonlyArray<Outcome>, figure: (o: Outcome["evaluation"]["summary"]) => number): string => {
  const after = share(mean(outcomes.map((o) => figure(o.evaluation.summary))))
  const before = mean(outcomes.map((o) => o.before ? figure(o.before) : NaN))
  return Number.isNaN(before) ? after : `${share(before)} → ${after}`
}

/** Accuracy with its 95% interval, resampling groups of questions; ranking of the gold passage; time of training. */
export const results = (outcomes: ReadonlyArray<Outcome>): string =>
  markdown([
    ["arm", "accuracy", "95% interval", "MRR@100", "recall@1", "recall@5", "recall@10", "seconds", "questions/s"],
    ...byArm(outcomes).map(([arm, own]) => {
      const judged = judgedOf(own)
      const accuracy = Metric.interval(judged.map((j) => j.correct), judged.map((j) => j.group))
      return [
        arm,
        share(accuracy.mean),
        bounds(accuracy),
        change(own, (s) => s["mrr@100"]),
        change(own, (s) => s.recall["recall@1"]!),
        change(own, (s) => s.recall["recall@5"]!),
        change(own, (s) => s.recall["recall@10"]!),
        whole(mean(own.map((o) => o.trained.seconds ?? NaN))),
        whole(mean(own.map((o) => o.trained.questionsPerSecond ?? NaN)))
      ]
    })
  ])

/** Accuracy by type of question. */
export const types = (outcomes: ReadonlyArray<Outcome>): string => {
  const names = [...new Set(judgedOf(outcomes).map((j) => j.type))].toSorted()
  return markdown([
    ["arm", ...names],
    ...byArm(outcomes).map(([arm, own]) => {
      const judged = judgedOf(own)
      const accuracy = (type: string) => share(mean(judged.filter((j) => j.type === type).map((j) => j.correct)))
      return [arm].concat(names.map(accuracy))
    })
  ])
}

/** Differences in accuracy from each arm to the next, over the same questions and seeds, by a paired bootstrap. */
export const comparisons = (outcomes: ReadonlyArray<Outcome>): string => {
  const arms = byArm(outcomes)
  const correct = (own: ReadonlyArray<Outcome>) => judgedOf(own).map((j) => j.correct)
  return markdown([
    ["from", "to", "difference", "95% interval", "p"],
    ...arms.slice(1).map(([to, b], i) => {
      const [from, a] = arms[i]!
      const found = Metric.compare(correct(a), correct(b), judgedOf(b).map((j) => j.group))
      return [from, to, share(found.mean), bounds(found), found.p.toFixed(3)]
    })
  ])
}

/** Everything that is told of an experiment. */
export const all = (outcomes: ReadonlyArray<Outcome>): string =>
  [results(outcomes), types(outcomes), comparisons(outcomes)].join("\n\n")

/** One evaluation. */
export const summary = (s: Summary): string =>
  markdown([
    ["questions", "accuracy", "95% interval", "MRR@100", "nDCG@10", ...Object.keys(s.recall)],
    [
      String(s.questions),
      share(s.accuracy.mean),
      bounds(s.accuracy),
      share(s["mrr@100"]),
      share(s["ndcg@10"]),
      ...Object.values(s.recall).map(share)
    ]
  ])
