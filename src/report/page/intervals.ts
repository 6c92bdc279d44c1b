/** Figures with their intervals, as fields of a table's rows and as its columns. */
import type { Interval } from "../../domain/Metric.ts"
import { bounds, NONE, percent } from "./numbers.ts"
import { number } from "./table.ts"

/** An interval as fields of a row. */
export const fields = (name: string, interval: Interval | null | undefined) => ({
  [name]: interval?.mean ?? null,
  [`${name}Low`]: interval?.low ?? null,
  [`${name}High`]: interval?.high ?? null
})

const of = (row: any, name: string): Interval => ({
  mean: row[name] as number,
  low: row[`${name}Low`] as number | null,
  high: row[`${name}High`] as number | null
})

/** A figure and its interval as columns. */
export const columnsOf = (title: string, name: string, show: (value: number) => string = percent) => [
  number<any>(title, (row) => row[name] === null ? NONE : show(row[name])),
  number<any>("95% interval", (row) => bounds(of(row, name), show))
]
