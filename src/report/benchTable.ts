/** Results of tasks, formatted for people. */
import { markdown } from "../domain/textTable.ts"
import { type BenchSummary, shown } from "../programs/benchmarks/summary.ts"

const count = (value: number): string => value.toLocaleString("en")
const score = (value: number): string => value.toFixed(4)

/** A row for each task, and the means over all. */
export const benchTable = ({ mean, tasks }: BenchSummary): string => {
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
