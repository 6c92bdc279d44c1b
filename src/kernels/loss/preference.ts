/** Losses of preferences: a chosen answer against a rejected one, relative to a reference (DPO and its variants). */
import { add, div, mul, neg, scale, sigmoid, softplus, sub } from "../op/elementwise.ts"
import { max } from "../op/select.ts"
import { scalar, type Tensor } from "../Tensor.ts"

/** What a pair's loss depends on; all [pairs]. */
export interface Preference {
  /** log π(y⁺|x) - log ref(y⁺|x), summed over the chosen answer's tokens. */
  readonly chosen: Tensor
  /** The same of the rejected answer. */
  readonly rejected: Tensor
  /** Tokens of the answers, as float32. */
  readonly chosenTokens: Tensor
  readonly rejectedTokens: Tensor
}

/** Strength β of the pull to the reference, and the share ε of pairs whose labels are swapped (`robust`). */
export interface PreferenceOptions {
  readonly beta: number
  readonly labelSmoothing: number
}

type Loss = (p: Preference, o: PreferenceOptions) => Tensor

const one = scalar(1)
/** -log σ(x) */
const miss = (x: Tensor): Tensor => softplus(neg(x))
const margin = ({ chosen, rejected }: Preference): Tensor => sub(chosen, rejected)
/** The difference of the answers' means per token. */
const meanMargin = ({ chosen, chosenTokens, rejected, rejectedTokens }: Preference): Tensor =>
  sub(div(chosen, chosenTokens), div(rejected, rejectedTokens))

/**
 * The losses by TRL's names, each [pairs]. `sigmoid` is DPO (Rafailov et al. 2023), `hinge` SLiC (Zhao et al. 2023),
 * `ipo` IPO (Azar et al. 2024) on means per token, `robust` robust DPO (Chowdhury et al. 2024), `sigmoid_norm` DPO on means
 * per token, `apo_zero` and `apo_down` anchored preferences (D'Oosterlinck et al. 2024).
 */
export const preferenceLosses = {
  sigmoid: (p, { beta }) => miss(scale(margin(p), beta)),
  hinge: (p, { beta }) => max(scalar(0), sub(one, scale(margin(p), beta))),
  ipo: (p, { beta }) => {
    const off = sub(meanMargin(p), scalar(1 / (2 * beta)))
    return mul(off, off)
  },
  robust: (p, { beta, labelSmoothing }) => {
    const scaled = scale(margin(p), beta)
    const right = scale(miss(scaled), 1 - labelSmoothing)
    return scale(sub(right, scale(miss(neg(scaled)), labelSmoothing)), 1 / (1 - 2 * labelSmoothing))
  },
  sigmoid_norm: (p, { beta }) => miss(scale(meanMargin(p), beta)),
  apo_zero: ({ chosen, rejected }, { beta }) =>
    add(sub(one, sigmoid(scale(chosen, beta))), sigmoid(scale(rejected, beta))),
  apo_down: (p, { beta }) => add(sigmoid(scale(p.chosen, beta)), sub(one, sigmoid(scale(margin(p), beta))))
} satisfies Readonly<Record<string, Loss>>
/** Name of a loss. */
export type PreferenceLoss = keyof typeof preferenceLosses
