/** Numbers as a report writes them. */
import type { Interval } from "../../domain/Metric.ts"

/** What stands for a figure that is not known. */
export const NONE = "–"

/** A minus as it is printed. */
const minus = (text: string): string => text.replace(/^-/, "−")

/** A share in percent. */
export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : `${(100 * value).toFixed(1)}%`

/** A difference of shares in percentage points, with its sign. */
export const points = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : minus(`${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`)

/** A mean of ratings. */
export const two = (value: number): string => minus(value.toFixed(2))

/** A difference of ratings, with its sign. */
export const signed = (value: number): string => minus(`${value > 0 ? "+" : ""}${value.toFixed(2)}`)

/** A figure with three digits after the point. */
export const three = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : minus(value.toFixed(3))

/** A probability of a test. */
export const pValue = (p: number | null | undefined): string => {
  if (p === null || p === undefined) return NONE
  return p < 0.001 ? "< 0.001" : p.toFixed(3)
}

/** The same after "p", with spaces that no line ends at. */
export const pText = (p: number): string => p < 0.001 ? "p\u00a0<\u00a00.001" : `p\u00a0=\u00a0${p.toFixed(3)}`

/** A count with separators. */
export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : value.toLocaleString("en")

/** A number of few digits, with a unit of its own. */
export const few = (value: number | null | undefined): string => {
  if (value === null || value === undefined) return NONE
  return minus(
    value !== 0 && Math.abs(value) < 10 ? value.toPrecision(3) : value.toLocaleString("en", {
      maximumFractionDigits: 1
    })
  )
}

/** The bounds of an interval; a dash if it has none, as with a single group. */
export const bounds = (
  { high, low }: Pick<Interval, "high" | "low">,
  show: (value: number) => string = percent
): string => low === null || high === null ? NONE : `${show(low)} to ${show(high)}`
