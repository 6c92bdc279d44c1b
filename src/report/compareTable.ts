/** Comparisons of systems as a table. */
import type { Interval } from "../domain/Metric.ts"
import { markdown } from "../domain/textTable.ts"
import type { Difference } from "../programs/evaluation/compare.ts"

/** A value with three digits; "-" if there is none. */
export const share = (value: number | null): string => value === null ? "-" : value.toFixed(3)
/** A p-value with three digits. */
export const probability = (p: number | null): string => p !== null && p < 0.001 ? "<0.001" : share(p)
/** A difference with its sign. */
export const signed = (value: number | null): string => value === null || value < 0 ? share(value) : `+${share(value)}`
/** An interval's ends; "-" if there are none. */
export const bounds = ({ high, low }: Interval, show = share): string =>
  low === null || high === null ? "-" : `[${show(low)}, ${show(high)}]`

/** A row for each system: its mean, and the difference from the first with its tests. */
export const compareTable = (differences: ReadonlyArray<Difference>): string => {
  const [first, ...others] = differences as readonly [Difference, ...ReadonlyArray<Difference>]
  const rows = others.map(({ against, interval, mean, name }) => {
    const { difference, holm, lost, mcnemar, needed, permutation, won } = against!
    const tests = [
      probability(permutation),
      probability(holm),
      probability(mcnemar),
      needed?.toLocaleString("en") ?? "-"
    ]
    return [name, share(mean), bounds(interval), signed(difference.mean), bounds(difference, signed), `${won}/${lost}`]
      .concat(tests)
  })
  const head = [
    "system",
    "mean",
    "95%",
    "difference",
    "95%",
    "better/worse",
    "p",
    "p (Holm)",
    "p (McNemar)",
    "questions for 80%"
  ]
  const base = [first.name, share(first.mean), bounds(first.interval), ...head.slice(3).map(() => "-")]
  return `${markdown([head, base, ...rows])}\n\n${first.questions} answers in ${first.groups} groups`
}
