/** The distribution over passages that a retriever learns from utilities (JOMED, Mazor & Hope). */
import { logSoftmax, verdictOf } from "./utility.ts"

/** What the target starts from: the retriever's own scores, its scores lowered by at most `floor`, or nothing. */
export type Prior = "scores" | "bounded" | "none"

/**
 * Which divergence is minimised between the target T and the retriever's distribution R: KL(T || R), KL(R || T), or the mean
 * of the two. What JOMED's release calls `symmetric_kl` is KL(R || T).
 */
export type Direction = "target_first" | "retriever_first" | "symmetric"

/** How a target is made. */
export interface TargetOptions {
  readonly prior: Prior
  readonly direction: Direction
  readonly temperatureGold: number
  readonly temperatureScore: number
  /** By how much the least useful passage is lowered under the prior `bounded`; 0.25 in JOMED's release. */
  readonly floor?: number
}

/** Utilities scaled to [0, high]; all are `high` where they are equal, so that they change nothing. */
const minMax = (utilities: ArrayLike<number>, high: number): Float64Array => {
  const values = Float64Array.from(utilities)
  const [low, most] = [Math.min(...values), Math.max(...values)]
  return values.map((value) => most > low ? high * (value - low) / (most - low) : high)
}

/**
 * log T over the passages of a question. With the prior `scores`, T = softmax(g/τ_g + s/τ_s): constant utilities give the
 * retriever's own distribution, and so no gradient. `bounded`: softmax((s - (floor - minmax(g)))/τ_s). `none`: softmax(g/τ_g).
 */
export const logTarget = (
  utilities: ArrayLike<number>,
  scores: ArrayLike<number>,
  { floor = 0.25, prior, temperatureGold, temperatureScore }: TargetOptions
): Float64Array => {
  if (prior === "none") return logSoftmax(utilities, temperatureGold)
  const own = Float64Array.from(scores)
  if (prior === "scores") {
    return logSoftmax(own.map((score, k) => utilities[k]! / temperatureGold + score / temperatureScore))
  }
  const raised = minMax(utilities, floor)
  return logSoftmax(own.map((score, k) => score - (floor - raised[k]!)), temperatureScore)
}

/** Σ p (log p - log q), in nats. */
export const divergence = (logP: Float64Array, logQ: Float64Array): number =>
  logP.reduce((sum, own, k) => own === -Infinity ? sum : sum + Math.exp(own) * (own - logQ[k]!), 0)

/**
 * The target whose listwise loss has the divergence's gradient at the scores that R is of. The gradient of KL(R || T) is
 * R (log R - log T - KL(R || T))/τ, and the listwise loss of t has (R - t)/τ, hence t = R (1 - log R + log T + KL(R || T)):
 * it sums to 1, but may have values below 0.
 */
export const listwiseTarget = (logT: Float64Array, logR: Float64Array, direction: Direction): Float64Array => {
  const forward = logT.map(Math.exp)
  if (direction === "target_first") return forward
  const kl = divergence(logR, logT)
  const backward = logR.map((own, k) => own === -Infinity ? 0 : Math.exp(own) * (1 - own + logT[k]! + kl))
  return direction === "retriever_first" ? backward : forward.map((own, k) => (own + backward[k]!) / 2)
}

/** The target of a question's listwise loss, from the utilities and the current scores of its passages. */
export const targetOf = (
  utilities: ArrayLike<number>,
  scores: ArrayLike<number>,
  o: TargetOptions
): Float64Array => listwiseTarget(logTarget(utilities, scores, o), logSoftmax(scores, o.temperatureScore), o.direction)

/** Whether passages lead to different classes; [m, k] scores by passage. JOMED's `weighting_kl` learns from these alone. */
export const disagree = (scores: ReadonlyArray<ArrayLike<number>>): boolean => new Set(scores.map(verdictOf)).size > 1

/** Whether utilities can teach anything: their variance over passages, and the mean utility that the target has over R. */
export const teaches = (
  utilities: ArrayLike<number>,
  logT: Float64Array,
  logR: Float64Array
): { readonly variance: number; readonly gain: number } => {
  const values = Float64Array.from(utilities)
  const mean = values.reduce((sum, g) => sum + g, 0) / values.length
  const under = (log: Float64Array) => log.reduce((sum, own, k) => sum + Math.exp(own) * values[k]!, 0)
  return {
    variance: values.reduce((sum, g) => sum + (g - mean) ** 2, 0) / values.length,
    gain: under(logT) - under(logR)
  }
}
