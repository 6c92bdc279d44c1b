/** Figures of rankings under MTEB's names and cutoffs (2.26), which are pytrec_eval's. */
import * as Metric from "../Metric.ts"
import { ranked, type Ranking } from "../trec.ts"

/** Ranks at which figures are taken. */
export const cutoffs = [1, 3, 5, 10, 20, 100, 1000] as const
/** Passages that are ranked for each query. */
export const DEEPEST = cutoffs.at(-1)!

/** Figures by name: `ndcg_at_10`. */
export type Scores = Readonly<Record<string, number>>

type Figure = (
  ids: ReadonlyArray<string>,
  grades: ReadonlyMap<string, number>,
  relevant: ReadonlySet<string>,
  k: number
) => number

const figures: Readonly<Record<string, Figure>> = {
  ndcg: (ids, grades, _, k) => Metric.gradedNdcgAt(ids, grades, k),
  map: (ids, _, relevant, k) => Metric.averagePrecisionAt(ids, relevant, k),
  recall: (ids, _, relevant, k) => Metric.recallAt(ids, relevant, k),
  precision: (ids, _, relevant, k) => Metric.precisionAt(ids, relevant, k),
  mrr: (ids, _, relevant, k) => Metric.reciprocalRankAt(ids, relevant, k),
  hit_rate: (ids, _, relevant, k) => Metric.reciprocalRankAt(ids, relevant, k) > 0 ? 1 : 0
}

/** The names of all figures, in MTEB's order. */
export const names: ReadonlyArray<string> = Object.keys(figures).flatMap((name) =>
  cutoffs.map((k) => `${name}_at_${k}`)
)

/**
 * The figures of a query, in the order of `names`: `grades` has the judged passages, of which those above 0 are
 * relevant. All are 0 if none is.
 */
export const figuresOf = (ranking: Ranking, grades: ReadonlyMap<string, number>): Float64Array => {
  const ids = ranked(ranking).slice(0, DEEPEST).map(([id]) => id)
  const relevant = new Set([...grades].flatMap(([id, grade]) => grade > 0 ? [id] : []))
  if (relevant.size === 0) return new Float64Array(names.length)
  return Float64Array.from(
    Object.values(figures).flatMap((figure) => cutoffs.map((k) => figure(ids, grades, relevant, k)))
  )
}

const rounded = (value: number): number => Math.round(value * 1e5) / 1e5

/** The means over queries, rounded to five digits as MTEB rounds them; `accuracy` is its name for recall at 1. */
export const means = (queries: ReadonlyArray<Float64Array>): Scores => {
  const mean = (i: number) => rounded(queries.reduce((sum, own) => sum + own[i]!, 0) / queries.length)
  const scores: Record<string, number> = Object.fromEntries(names.map((name, i) => [name, mean(i)]))
  return { ...scores, accuracy: scores["recall_at_1"]! }
}
