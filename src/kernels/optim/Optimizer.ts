/** An optimiser is a gradient transformation: symbolic, so that it ends up inside the step's graph. */
import type { Tensor } from "../Tensor.ts"

/** What depends on the step and the group alone: host numbers, computed in float64 and fed as scalars. */
export type Scalars<S extends string> = Readonly<Record<S, number>>

/** An optimiser: what it keeps, and how it moves a weight. */
export interface Optimizer<K extends string = string, S extends string = string> {
  /** Names of the arrays kept beside each parameter; all start at zero. */
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

/** Parameters that share their settings. */
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
  /** Share of the peak that is left at the end. */
  readonly finalRatio: number
}

/** The learning rate of step 1, 2, ...: linear warm-up to the peak, then the schedule's fall. */
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
