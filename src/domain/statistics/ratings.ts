/** Ratings of answers from 1 to 5 by several raters: agreement of every two, and means of systems. */
import * as Metric from "../Metric.ts"
import { kappa } from "./agreement.ts"

/** The scale, from worst to best. */
export const scale = ["1", "2", "3", "4", "5"] as const

/** Ratings of a rater by item. */
export interface Rater {
  readonly name: string
  readonly ratings: ReadonlyMap<string, number>
}

/** How far two raters agree on the items that both have rated; `null` where that is not defined. */
export interface PairAgreement {
  readonly raters: readonly [string, string]
  readonly items: number
  /** Share of items rated alike, and at most one step apart. */
  readonly same: number | null
  readonly near: number | null
  /** Cohen's kappa by weights of a disagreement. */
  readonly plain: number | null
  readonly linear: number | null
  readonly quadratic: number | null
}

const between = (a: Rater, b: Rater): PairAgreement => {
  const both = [...a.ratings].flatMap(([item, x]) => b.ratings.has(item) ? [[x, b.ratings.get(item)!] as const] : [])
  const [left, right] = [both.map(([x]) => String(x)), both.map(([, y]) => String(y))]
  const of = (weights: Parameters<typeof kappa>[2]) => both.length === 0 ? null : kappa(left, right, weights, scale)
  const share = (holds: (apart: number) => boolean) =>
    both.length === 0 ? null : both.filter(([x, y]) => holds(Math.abs(x - y))).length / both.length
  return {
    raters: [a.name, b.name],
    items: both.length,
    same: share((apart) => apart === 0),
    near: share((apart) => apart <= 1),
    plain: of("none"),
    linear: of("linear"),
    quadratic: of("quadratic")
  }
}

/** Agreement of every two raters. */
export const agreements = (raters: ReadonlyArray<Rater>): ReadonlyArray<PairAgreement> =>
  raters.flatMap((a, i) => raters.slice(i + 1).map((b) => between(a, b)))

/** An item: which system's answer it is, to which question. */
export interface Item {
  readonly item: string
  readonly system: string
  readonly question: string
  readonly group: string
}

/** Ratings of a system. */
export interface RatedSystem {
  readonly system: string
  readonly rater: string
  readonly items: number
  readonly mean: Metric.Interval
  /** Against the first system, over questions of which both answers were rated; `undefined` for it, and without any. */
  readonly against: Metric.Comparison | undefined
}

const paired = (own: ReadonlyArray<Rated>, first: ReadonlyArray<Rated>): Metric.Comparison | undefined => {
  const known = new Map(first.map(({ question, value }) => [question, value]))
  const differences = own.flatMap(({ group, question, value }) =>
    known.has(question) ? [{ group, value: value - known.get(question)! }] : []
  )
  return Metric.comparison(differences) ?? undefined
}
type Rated = Item & { readonly value: number }

/** Mean ratings of every system by every rater; the first system is the one that others are compared with. */
export const ratedSystems = (
  systems: ReadonlyArray<string>,
  items: ReadonlyArray<Item>,
  raters: ReadonlyArray<Rater>
): ReadonlyArray<RatedSystem> =>
  raters.flatMap((rater) => {
    const rated = items.flatMap((item): ReadonlyArray<Rated> => {
      const value = rater.ratings.get(item.item)
      return value === undefined ? [] : [{ ...item, value }]
    })
    const of = (system: string) => rated.filter((own) => own.system === system)
    return systems.flatMap((system, i): ReadonlyArray<RatedSystem> => {
      const own = of(system)
      const mean = Metric.interval(own)
      if (mean === null) return []
      const against = i === 0 ? undefined : paired(own, of(systems[0]!))
      return [{ system, rater: rater.name, items: own.length, mean, against }]
    })
  })
