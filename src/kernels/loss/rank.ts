/** Ranking losses on the retriever's scores; the reader's preferences enter as data. */
import { reshape, sum } from "../op/broadcast.ts"
import { div, mul, neg, scale, softplus, sub } from "../op/elementwise.ts"
import { logSoftmax } from "../op/normalise.ts"
import { less, reduceMax, reduceMin, where } from "../op/select.ts"
import { scalar, type Tensor } from "../Tensor.ts"

/**
 * JMLR's scaled scores: 2 (S - min S)/(max S - min S) - 1 over the last axis, 0 where all are equal. Gradients flow
 * through the minimum and maximum, as in the released code.
 */
export const minMaxScale = (scores: Tensor): Tensor => {
  const [low, high] = [reduceMin(scores, -1, true), reduceMax(scores, -1, true)]
  const range = sub(high, low)
  const spread = less(scalar(0), range)
  const unit = div(sub(scores, low), where(spread, range, scalar(1)))
  return where(spread, sub(scale(unit, 2), scalar(1)), scale(unit, 0))
}

/**
 * RankNet (Burges et al. 2005): Σ_ij w_ij softplus(s_j - s_i), where w_ij >= 0 says how much i should outrank j.
 * Scores [b, m], weights [b, m, m] -> [b].
 */
export const pairwise = (scores: Tensor, weights: Tensor): Tensor => {
  const [b, m] = scores.type.shape as readonly [number, number]
  const margin = sub(reshape(scores, [b, 1, m]), reshape(scores, [b, m, 1]))
  return sum(mul(weights, softplus(margin)), [1, 2])
}

/**
 * KL(target || softmax(scores/τ)) up to the target's entropy: -Σ_k t_k log softmax(s/τ)_k. A one-hot target makes it
 * InfoNCE. Scores [b, n], targets [b, n] that sum to 1 -> [b].
 */
export const listwise = (scores: Tensor, target: Tensor, temperature: number): Tensor =>
  neg(sum(mul(target, logSoftmax(scale(scores, 1 / temperature))), [1]))

/** The mean over the batch: [b] -> []. */
export const mean = (losses: Tensor): Tensor => scale(sum(losses, [0]), 1 / losses.type.shape[0]!)
