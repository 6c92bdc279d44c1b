/** Agreement of raters as a table. */
import { columns } from "../domain/textTable.ts"
import type { Agreement } from "../programs/evaluation/agree.ts"

const share = (value: number | null): string => value === null ? "-" : value.toFixed(3)

/** A line for every two raters. */
export const agreementTable = (all: ReadonlyArray<Agreement>): string =>
  columns([
    ["raters", "items", "same", "kappa"],
    ...all.map(({ items, kappa, raters, same }) => [raters.join(", "), String(items), share(same), share(kappa)])
  ])
