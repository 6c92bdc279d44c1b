/** What was mined, formatted for people. */
import { columns } from "../domain/textTable.ts"
import type { MineSummary } from "../programs/mining/mine.ts"

const count = (value: number): string => value.toLocaleString("en")

/** Figures of a mining, and why candidates were dropped. */
export const minedTable = (mined: MineSummary): string => {
  const { dropped, file, kept, negatives, none, queries, records, seconds, short } = mined
  const reasons = Object.entries(dropped).map(([reason, n]) => [`dropped: ${reason}`, count(n)])
  const rows = [
    ["queries", count(queries)],
    ["mined before", count(kept)],
    ["negatives", count(negatives)],
    ["queries with fewer than asked for", count(short)],
    ["queries with none", count(none)],
    ...reasons,
    ["records", count(records)],
    ["seconds", seconds.toFixed(1)]
  ]
  return `${columns(rows)}\n${file}`
}
