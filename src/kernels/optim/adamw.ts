/** AdamW (Loshchilov & Hutter 2019), with PyTorch's order of operations. */
import { add, div, mul, scale, sqrt, sub } from "../op/elementwise.ts"
import { scalar } from "../Tensor.ts"
import type { Optimizer } from "./Optimizer.ts"

/** AdamW's β₁, β₂ and ε. */
export interface AdamWConfig {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
}

/** AdamW with bias correction and decoupled weight decay (algorithm 2 of the paper). */
export const adamw = (
  { beta1, beta2, epsilon }: AdamWConfig
): Optimizer<"exp_avg" | "exp_avg_sq", "keep" | "rate" | "correction"> => ({
  slots: ["exp_avg", "exp_avg_sq"],
  scalars: ["keep", "rate", "correction"],
  at: (step, { learningRate, weightDecay }) => ({
    keep: 1 - learningRate(step) * weightDecay,
    rate: learningRate(step) / (1 - beta1 ** step),
    correction: Math.sqrt(1 - beta2 ** step)
  }),
  update: (weight, gradient, slots, { correction, keep, rate }) => {
    const mean = add(slots.exp_avg, scale(sub(gradient, slots.exp_avg), 1 - beta1))
    const square = add(scale(slots.exp_avg_sq, beta2), scale(mul(gradient, gradient), 1 - beta2))
    const size = add(div(sqrt(square), correction), scalar(epsilon))
    return {
      weight: sub(mul(weight, keep), mul(rate, div(mean, size))),
      slots: { exp_avg: mean, exp_avg_sq: square }
    }
  }
})
