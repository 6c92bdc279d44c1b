/** What is reported of one question, and of many. */
import { isCorrect } from "./domain/correct.ts"
import * as Metric from "./domain/Metric.ts"
import type { QuestionRecord } from "./domain/Records.ts"

export { normalise } from "./domain/correct.ts"

/** One question, judged. */
export interface Judged {
  readonly id: string
  readonly group: string
  readonly type: string
  readonly prediction: string
  /** What the reader wrote beside, where it wrote. */
  readonly written?: string
  readonly correct: number
  /** Ids of the passages found, best first, with their scores. */
  readonly found: ReadonlyArray<readonly [id: string, score: number]>
  readonly reciprocalRank: number
  /** Recall of the gold passages at each of `depths`; NaN where none is known, or nothing was retrieved. */
  readonly recall: ReadonlyArray<number>
  readonly ndcg: number
}

export const depths = [1, 5, 10, 100] as const

export const judge = (
  q: QuestionRecord,
  prediction: string,
  index: number,
  ranking: ReadonlyArray<readonly [string, number]>
): Judged => {
  const ids = ranking.map(([id]) => id)
  const places = ids.map((_, i) => i)
  /** Places of the gold passages; those that were not found have some of their own. */
  const relevant = new Set([...new Set(q.gold)].map((id, i) => {
    const place = ids.indexOf(id)
    return place < 0 ? -1 - i : place
  }))
  const known = q.gold.length > 0 && ranking.length > 0
  return {
    id: q.id,
    group: q.group,
    type: q.type,
    prediction,
    correct: isCorrect(q, prediction, index) ? 1 : 0,
    found: ranking,
    reciprocalRank: known ? 1 / Metric.firstRelevant(places, relevant) : NaN,
    recall: depths.map((k) => known ? Metric.recallAt(places, relevant, k) : NaN),
    ndcg: known ? Metric.ndcgAt(places, relevant, 10) : NaN
  }
}

export interface Summary {
  readonly questions: number
  readonly accuracy: Metric.Interval
  readonly "mrr@100": number
  readonly "ndcg@10": number
  readonly recall: Readonly<Record<string, number>>
  readonly byType: Readonly<Record<string, number>>
  readonly seconds: number
}

export const mean = (values: ReadonlyArray<number>): number => {
  const known = values.filter((v) => !Number.isNaN(v))
  return known.reduce((a, b) => a + b, 0) / known.length
}

export const summarise = (judged: ReadonlyArray<Judged>, seconds: number): Summary => ({
  questions: judged.length,
  accuracy: Metric.interval(judged.map((j) => j.correct), judged.map((j) => j.group)),
  "mrr@100": mean(judged.map((j) => j.reciprocalRank)),
  "ndcg@10": mean(judged.map((j) => j.ndcg)),
  recall: Object.fromEntries(depths.map((k, i) => [`recall@${k}`, mean(judged.map((j) => j.recall[i]!))])),
  byType: Object.fromEntries(
    [...Map.groupBy(judged, (j) => j.type)].map(([type, own]) => [type, mean(own.map((j) => j.correct))])
  ),
  seconds
})
