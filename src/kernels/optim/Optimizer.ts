/** An optimiser is a gradient transformation: symbolic, so that it becomes part of the step's graph. */
import type { Tensor } from "../Tensor.ts"

/** Numbers that depend only on step and parameter group: computed on the host in float64, fed as scalars. */
export type Scalars<S extends string> = Readonly<Record<S, number>>

/** An optimiser: its state, and its update rule. */
export interface Optimizer<K extends string = string, S extends string = string> {
  /** Names of the state arrays of each parameter; all start at zero. */
  readonly slots: ReadonlyArray<K>
  readonly scalars: ReadonlyArray<S>
  /** The scalars of update number `step`, counted from 1. */
  readonly at: (step: number, group: Group) => Scalars<S>
  readonly update: (
    weight: Tensor,
    gradient: Tensor,
    slots: Readonly<Record<K, Tensor>>,
    scalars: Readonly<Record<S, Tensor>>
  ) => { readonly weight: Tensor; readonly slots: Readonly<Record<K, Tensor>> }
}

/** Settings of a parameter group. */
export interface Group {
  readonly learningRate: (step: number) => number
  readonly weightDecay: number
}

/** A learning rate by step: linear warm-up to `peak`, then constant, linear or cosine decay. */
export interface Schedule {
  readonly type: "constant" | "linear" | "cosine"
  readonly peak: number
  readonly totalSteps: number
  readonly warmupSteps: number
  /** Final learning rate as a fraction of the peak. */
  readonly finalRatio: number
}

/** The learning rate at step 1, 2, ...: linear warm-up to the peak, then the schedule's decay. */
export const learningRate =
  ({ finalRatio, peak, totalSteps, type, warmupSteps }: Schedule) => (step: number): number => {
    if (step <= warmupSteps) return peak * step / warmupSteps
    const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
    switch (type) {
      case "constant":
        return peak
      case "linear":
        return peak * (1 - (1 - finalRatio) * progress)
      case "cosine":
        return peak * (finalRatio + (1 - finalRatio) * 0.5 * (1 + Math.cos(Math.PI * progress)))
    }
  }
