/** The loss of preferences as a number, by the expressions that training minimises. */
import { interpret } from "../../kernels/interpret.ts"
import { preferenceLosses } from "../../kernels/loss/preference.ts"
import { input } from "../../kernels/Tensor.ts"
import type { PreferenceTerms } from "./graphs.ts"

/** Log-likelihoods of answers in nats, and their numbers of tokens: the chosen and the rejected of each pair in turn. */
export interface Answers {
  readonly policy: ArrayLike<number>
  readonly reference: ArrayLike<number>
  readonly counts: ArrayLike<number>
}

/** The mean loss of the pairs; `sft` is the mean over all tokens of chosen answers. */
export const preferenceLossOf = (terms: PreferenceTerms, { counts, policy, reference }: Answers): number => {
  const pairs = policy.length / 2
  const side = (at: 0 | 1, of: (i: number) => number) => Float64Array.from({ length: pairs }, (_, p) => of(2 * p + at))
  const values = {
    chosen: side(0, (i) => policy[i]! - reference[i]!),
    rejected: side(1, (i) => policy[i]! - reference[i]!),
    chosenTokens: side(0, (i) => counts[i]!),
    rejectedTokens: side(1, (i) => counts[i]!)
  }
  const feeds = Object.fromEntries(Object.entries(values).map(([name, data]) => [name, { shape: [pairs], data }]))
  const own = {
    chosen: input("chosen", [pairs]),
    rejected: input("rejected", [pairs]),
    chosenTokens: input("chosenTokens", [pairs]),
    rejectedTokens: input("rejectedTokens", [pairs])
  }
  const total = (all: ArrayLike<number>): number => Array.from(all).reduce((sum, one) => sum + one, 0)
  const term = (name: PreferenceTerms["losses"][number][0]): number =>
    name === "sft"
      ? -total(side(0, (i) => policy[i]!)) / total(values.chosenTokens)
      : total(interpret([preferenceLosses[name](own, terms)], feeds)[0]!.data) / pairs
  return terms.losses.reduce((sum, [name, weight]) => sum + weight * term(name), 0)
}
