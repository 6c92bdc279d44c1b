/** What a search of a merge came to, as text. */
import { columns } from "../domain/textTable.ts"
import type { SearchResult } from "../programs/search/searchMerge.ts"

const figures = (values: Readonly<Record<string, number>>): ReadonlyArray<readonly [string, string]> =>
  Object.entries(values).map(([name, value]) => [`  ${name}`, value.toFixed(4)])

/** The numbers found, their scores, and what was written. */
export const mergeSearch = (r: SearchResult): string =>
  columns([
    ["mean score of the best", r.score.toFixed(4)],
    ...figures(r.scores),
    ["its numbers", ""],
    ...figures(r.numbers),
    ["candidates evaluated, found from before", `${r.evaluated}, ${r.kept}`],
    ["ended by", r.stopped ? "the budget" : "the search"],
    ["merged by", `${r.method}, ${r.tensors} tensors, ${r.dtype}`],
    ["model", r.folder],
    ["all points", r.report]
  ])
