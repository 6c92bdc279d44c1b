/** What readings of single passages tell of a question: whether they agree, and which of them to believe. */
import { confidenceOf } from "./utility.ts"

/** Whether single passages lead to different answers; -1 (no answer) is a value of its own. */
export const isInconsistent = (verdicts: ArrayLike<number>): boolean => new Set(Array.from(verdicts)).size > 1

/**
 * Whether some passage leads to a right answer: what the best choice among the passages would reach. With two options every
 * inconsistent question counts, so that the share is 1 - the share that all passages get wrong alike.
 */
export const oracle = (verdicts: ArrayLike<number>, isRight: (verdict: number) => boolean): boolean =>
  Array.from(verdicts).some(isRight)

/** Readings of a question's passages, best first: what each leads to, and its class scores. */
export interface Readings {
  readonly verdicts: ReadonlyArray<number>
  readonly scores: ReadonlyArray<ArrayLike<number>>
}

/** The place of the greatest value, the first of equal ones. */
const firstMost = (values: ReadonlyArray<number>): number => values.indexOf(Math.max(...values))

/** The verdict that most passages lead to, of equal ones that of the best passage; no answer counts if there is no other. */
const vote = (verdicts: ReadonlyArray<number>): number => {
  const said = verdicts.filter((verdict) => verdict >= 0)
  const counts = said.map((verdict) => said.filter((other) => other === verdict).length)
  return said[firstMost(counts)] ?? -1
}

/** Rerankers without a model of their own, each from a question's readings to one verdict. */
export const rerankers = {
  /** That of the passage of highest score. */
  score: ({ verdicts }: Readings) => verdicts[0] ?? -1,
  /** That which the reader is surest of: max over passages of max over classes of P. */
  confidence: ({ scores, verdicts }: Readings) => verdicts[firstMost(scores.map(confidenceOf))] ?? -1,
  /** That of most passages. */
  agreement: ({ verdicts }: Readings) => vote(verdicts)
} as const
