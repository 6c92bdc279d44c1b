/** Fusion: one answer from readings of single passages, weighted by how well the passages were found (JOMED). */
import { NO_CLASS, softmax } from "./utility.ts"

/** A head's scores over their greatest, which would turn their order around if it were not above 0. */
const relative = (scores: Float64Array): Float64Array => {
  const most = Math.max(...scores)
  return most > 0 && Number.isFinite(most) ? scores.map((score) => score / most) : scores
}

/**
 * Weights of the passages of one or more retrievers, in the order given, which sum to 1: the softmax of their scores. With
 * several retrievers each one's scores are first divided by its greatest; they are left as they are where that is not above 0.
 * -Infinity is no passage; all weights are 0 if there is none.
 */
export const fusionWeights = (heads: ReadonlyArray<ArrayLike<number>>): Float64Array => {
  const own = heads.map((scores) => Float64Array.from(scores))
  const all = (own.length === 1 ? own : own.map(relative)).flatMap((scores) => Array.from(scores))
  return all.every((score) => score === -Infinity) ? new Float64Array(all.length) : softmax(all)
}

/** Σ weight_k · scores_k by class; passages of weight 0 count for nothing, and if all do there is no class. */
export const fused = (weights: ArrayLike<number>, scores: ReadonlyArray<ArrayLike<number>>): Float64Array => {
  const counted = scores.flatMap((own, k) => weights[k]! > 0 ? [{ own, weight: weights[k]! }] : [])
  return Float64Array.from(
    { length: scores[0]?.length ?? 0 },
    (_, c) => counted.length === 0 ? NO_CLASS : counted.reduce((sum, { own, weight }) => sum + weight * own[c]!, 0)
  )
}
