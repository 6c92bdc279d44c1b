/** Figures of rankings under MTEB's names and cutoffs (2.26), which are pytrec_eval's. */
import * as Metric from "../Metric.ts"
import { ranked, type Ranking } from "../trec.ts"
import { type Confidence, confidenceOf, confidences, nauc } from "./abstention.ts"

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

/** What is known of a query: its figures, in the order of `names`, and how sure its scores are of the ranking. */
export interface QueryFigures {
  readonly figures: Float64Array
  readonly confidence: Confidence
}

/** The figures of a query: `grades` has the judged passages, of which those above 0 are relevant. All are 0 if none is. */
export const figuresOf = (ranking: Ranking, grades: ReadonlyMap<string, number>): QueryFigures => {
  const sorted = ranked(ranking).slice(0, DEEPEST)
  const ids = sorted.map(([id]) => id)
  const confidence = confidenceOf(sorted.map(([, score]) => score))
  const relevant = new Set([...grades].flatMap(([id, grade]) => grade > 0 ? [id] : []))
  if (relevant.size === 0) return { figures: new Float64Array(names.length), confidence }
  const own = Object.values(figures).flatMap((figure) => cutoffs.map((k) => figure(ids, grades, relevant, k)))
  return { figures: Float64Array.from(own), confidence }
}

const rounded = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits

/** Whether MTEB tells how well a query's confidence foresees a figure. */
const abstains = (name: string): boolean => !name.startsWith("hit_rate")

/**
 * `nauc_*`: how well abstaining from the least confident queries would raise a figure, for each measure of confidence;
 * one that no abstention changes has none.
 */
const abstentions = (queries: ReadonlyArray<QueryFigures>): Scores =>
  Object.fromEntries(
    names.flatMap((name, i) =>
      !abstains(name) ? [] : confidences.flatMap((measure) => {
        const area = nauc(queries.map((own) => own.confidence[measure]), queries.map(({ figures }) => figures[i]!))
        return area === undefined ? [] : [[`nauc_${name}_${measure}`, rounded(area, 6)] as const]
      })
    )
  )

/**
 * The means over queries, rounded to five digits as MTEB rounds them, and `nauc_*` to six; `accuracy` is its name for
 * recall at 1.
 */
export const means = (queries: ReadonlyArray<QueryFigures>): Scores => {
  const mean = (i: number) => rounded(queries.reduce((sum, { figures }) => sum + figures[i]!, 0) / queries.length, 5)
  const scores: Record<string, number> = Object.fromEntries(names.map((name, i) => [name, mean(i)]))
  return { ...scores, accuracy: scores["recall_at_1"]!, ...abstentions(queries) }
}
