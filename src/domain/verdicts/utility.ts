/** Utility of a passage: how far the reader's verdict on it supports the right answer. A constant, never differentiated. */

/** Class scores of a question beyond its own options: no class. */
export const NO_CLASS = -Infinity

/** log softmax(x/τ), where places of -Infinity stay so. */
export const logSoftmax = (values: ArrayLike<number>, temperature = 1): Float64Array => {
  const scaled = Float64Array.from(values, (value) => value / temperature)
  const most = Math.max(...scaled)
  const total = most + Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - most), 0))
  return scaled.map((value) => value === -Infinity ? value : value - total)
}

/** softmax(x/τ), 0 where a value is -Infinity. */
export const softmax = (values: ArrayLike<number>, temperature = 1): Float64Array =>
  logSoftmax(values, temperature).map(Math.exp)

/**
 * How class scores z become a utility g of the right class y, with P = softmax(z).
 *
 * - `log_prob`: log P_y, at most 0 and without a lower bound.
 * - `double_softmax`: P_y - log Σ_c exp(P_c), as in JOMED's release; for two classes between -1.313 and -0.313.
 * - `nll`: z_y itself, for scores that are mean log-likelihoods: what the right answer costs, whatever the others.
 * - `label`: z_y itself, for scores that are 1 for the option that the passage names and 0 for others: no reader is asked.
 */
export type Utility = "double_softmax" | "log_prob" | "nll" | "label"

/** The utility of a passage from its class scores; classes of -Infinity are none. */
export const utilityOf = (scores: ArrayLike<number>, right: number, utility: Utility): number => {
  if (utility === "nll" || utility === "label") return scores[right]!
  const logs = logSoftmax(scores)
  if (utility === "log_prob") return logs[right]!
  const known = logs.filter((own) => own !== NO_CLASS).map(Math.exp)
  return Math.exp(logs[right]!) - Math.log(known.reduce((sum, p) => sum + Math.exp(p), 0))
}

/** The class of highest score, the first of equal ones; -1 if there is none. */
export const verdictOf = (scores: ArrayLike<number>): number => {
  let best = -1
  for (let c = 0; c < scores.length; c++) {
    if (scores[c]! > (best < 0 ? NO_CLASS : scores[best]!)) best = c
  }
  return best
}

/** The probability of the class of highest score; 0 if there is none. */
export const confidenceOf = (scores: ArrayLike<number>): number => {
  const verdict = verdictOf(scores)
  return verdict < 0 ? 0 : softmax(scores)[verdict]!
}
