/** Ranking losses on the retriever's scores; the reader's preferences enter as data. */
import { reshape, sum } from "../op/broadcast.ts"
import { add, div, exp, float, log, mul, neg, scale, softplus, sub } from "../op/elementwise.ts"
import { slice } from "../op/gather.ts"
import { logSoftmax } from "../op/normalise.ts"
import { and, less, max, not, or, penalise, reduceMax, reduceMin, where } from "../op/select.ts"
import { stopGradient } from "../op/stop.ts"
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

/** Which candidates count, and by how much more or less than their scores say. */
export interface Candidates {
  /** bool [b, n]: others are left out of the softmax. */
  readonly allowed?: Tensor | undefined
  /** Added to the scores over τ, float32 [b, n]; a constant, 0 for what the target names. */
  readonly penalty?: Tensor | undefined
}

/** Added to the logit of a candidate that is left out: its share underflows to 0. */
const LEFT_OUT = -1e9

/**
 * KL(target || softmax(scores/τ)) up to the target's entropy: -Σ_k t_k log softmax(s/τ)_k. A one-hot target makes it
 * InfoNCE (van den Oord et al. 2018). Scores [b, n], targets [b, n] that sum to 1, 0 where a candidate is left out ->
 * [b].
 */
export const listwise = (
  scores: Tensor,
  target: Tensor,
  temperature: number,
  { allowed, penalty }: Candidates = {}
): Tensor => {
  const scaled = scale(scores, 1 / temperature)
  const raised = penalty ? add(scaled, penalty) : scaled
  const logits = allowed ? add(raised, penalise(allowed, LEFT_OUT)) : raised
  return neg(sum(mul(target, logSoftmax(logits)), [1]))
}

/**
 * Distillation (ColBERTv2, Santhanam et al. 2022): τ² KL(target || softmax(scores/τ)), whose gradient does not shrink
 * as τ grows. Scores [b, n], targets [b, n] -> [b].
 */
export const divergence = (scores: Tensor, target: Tensor, temperature: number, candidates?: Candidates): Tensor => {
  const known = log(max(target, scalar(1e-30)))
  const crossed = listwise(scores, target, temperature, candidates)
  return scale(add(crossed, sum(mul(target, known), [1])), temperature ** 2)
}

/**
 * The divergence the other way (REPLUG LSR, Shi et al. 2023, eq. 5): KL(softmax(scores/τ) || exp(logTarget)), which keeps the
 * scores off what the target finds unlikely. Scores and log-probabilities [b, n] -> [b]. Its gradient at score j is
 * R_j/τ (log R_j - logTarget_j - loss), R the softmax.
 */
export const reverseDivergence = (scores: Tensor, logTarget: Tensor, temperature: number): Tensor => {
  const own = logSoftmax(scale(scores, 1 / temperature))
  return sum(mul(exp(own), sub(own, logTarget)), [1])
}

/** How much better than another candidate a query's positive must score for the other to be a negative. */
export interface Margin {
  /** In scores, or as a share of the positive's score. */
  readonly strategy: "absolute" | "relative"
  readonly margin: number
}

/**
 * Candidates that are likely to be positives too are left out, by the scores themselves (GISTEmbed, Solatorio 2024, with
 * the model as its own guide): those above the positive's score less the margin. Scores [b, n], one-hot targets [b, n]
 * -> bool [b, n].
 */
export const withinMargin = (scores: Tensor, target: Tensor, { margin, strategy }: Margin): Tensor => {
  const positive = sum(mul(scores, target), [1], true)
  const by = strategy === "absolute" ? scalar(margin) : scale(max(positive, neg(positive)), margin)
  return or(not(less(sub(positive, by), scores)), less(scalar(0), target))
}

/** Which negatives count for more the nearer they score to the positive, and by how much. */
export interface Hardness {
  /** The query's own hard negatives, those of the batch's other queries and these queries' positives, or both. */
  readonly mode: "hard_negatives" | "in_batch_negatives" | "all_negatives"
  readonly strength: number
}

/**
 * The penalty of hardness-weighted InfoNCE (Lan et al. 2025, eq. 5): strength times the score, as a constant, for the
 * negatives of the mode; 0 elsewhere. It is not divided by the temperature. Scores [b, n], one-hot targets [b, n], own, bool
 * [b, n]: which candidates belong to the query itself -> [b, n].
 */
export const hardness = (scores: Tensor, target: Tensor, own: Tensor, { mode, strength }: Hardness): Tensor => {
  const negative = not(less(scalar(0), target))
  const counted = mode === "all_negatives"
    ? negative
    : mode === "hard_negatives"
    ? and(own, negative)
    : not(own)
  return where(counted, scale(stopGradient(scores), strength), scalar(0))
}

/**
 * MarginMSE (Hofstätter et al. 2020): the mean square of the difference between a query's margins, of its positive over
 * each of its negatives, and the teacher's. Scores and teacher's scores [b, n], the positive first; allowed, bool [b, n]:
 * which passages there are -> [b], 0 for a query without negatives.
 */
export const marginMse = (scores: Tensor, teacher: Tensor, allowed: Tensor): Tensor => {
  const n = scores.type.shape[1]!
  const margins = (own: Tensor) => sub(slice(own, 1, 0, 1), slice(own, 1, 1, n))
  const counted = float(slice(allowed, 1, 1, n))
  const off = sub(margins(scores), margins(teacher))
  return div(sum(mul(counted, mul(off, off)), [1]), max(sum(counted, [1]), scalar(1)))
}

/** The mean over the batch: [b] -> []. */
export const mean = (losses: Tensor): Tensor => scale(sum(losses, [0]), 1 / losses.type.shape[0]!)
