/** Results of tasks, formatted for people. */
import { markdown } from "../domain/textTable.ts"
import { type BenchSummary, shown } from "../programs/benchmarks/summary.ts"

const count = (value: number): string => value.toLocaleString("en")
const score = (value: number): string => value.toFixed(4)

/** A row for each task of retrieval, and the means over all. */
const retrieval = (tasks: BenchSummary["tasks"], mean: NonNullable<BenchSummary["mean"]>): string => {
  const leaks = tasks.some(({ removed }) => removed.documents + removed.queries > 0)
  const removed = leaks ? ["seen in training"] : []
  return markdown([
    ["task", "documents", "queries", ...removed, ...shown, "seconds"],
    ...tasks.map((row) => [
      row.main === "ndcg_at_10" ? row.task : `${row.task} (${row.main})`,
      count(row.documents),
      count(row.queries),
      ...(leaks ? [`${count(row.removed.documents)} documents, ${count(row.removed.queries)} queries`] : []),
      ...shown.map((name) => score(row[name])),
      row.seconds.toFixed(1)
    ]),
    [`mean of ${tasks.length}`, "", "", ...removed.map(() => ""), ...shown.map((name) => score(mean[name])), ""]
  ])
}

/** A row for each figure of each task that a reader answered. */
const answered = (tasks: NonNullable<BenchSummary["generative"]>): string =>
  markdown([
    ["task", "n-shot", "filter", "metric", "value", "95% interval", "records", "seconds"],
    ...tasks.flatMap(({ figures, num_fewshot, seconds, task }) =>
      figures.map(({ filter, high, low, mean, metric, records }) => [
        task,
        String(num_fewshot),
        filter,
        metric,
        score(mean),
        low === null || high === null ? "" : `${score(low)} to ${score(high)}`,
        count(records),
        seconds.toFixed(1)
      ])
    )
  ])

/** The tables of both kinds of tasks. */
export const benchTable = ({ generative, mean, tasks }: BenchSummary): string =>
  [mean === undefined ? "" : retrieval(tasks, mean), generative === undefined ? "" : answered(generative)].filter((
    table
  ) => table !== "").join("\n\n")
