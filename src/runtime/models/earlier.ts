/** A model's weights as they were some updates ago, for verdicts that lag behind its training. */
import { type Kept, onHost } from "../engine/Session.ts"
import { type Arrays, asInputs, type Weights } from "../engine/Weights.ts"

/** Earlier weights, and what of them a checkpoint holds. */
export interface Earlier {
  /** The weights for programs that only read, as of the last call of `at`. */
  readonly weights: Weights
  /**
   * Makes them those that verdicts of a step use: the weights before the last step that `lag + 1` divides, which are copied when
   * that step itself asks.
   */
  readonly at: (step: number) => void
  /** The step that they are from, and the trainable parameters by path; `undefined` before the first step. */
  readonly state: () => Taken | undefined
  readonly restore: (taken: Taken) => void
}

/** Weights, and the step before which they were taken. */
export interface Taken {
  readonly step: number
  readonly arrays: Arrays
}

/** Copies of weights that are up to `lag` updates old. */
export const make = (weights: Weights, lag: number, kept: Kept = onHost): Earlier => {
  const learns = new Set(weights.trainable)
  let taken: Taken | undefined
  let values = weights.values()
  const hold = (next: Taken) => {
    if (taken) kept.release(taken.arrays.values())
    kept.keep(next.arrays.values())
    taken = next
    values = { ...weights.values(), ...asInputs(next.arrays) }
  }
  return {
    weights: { ...weights, values: () => values },
    at: (step) => {
      const due = step - step % (lag + 1)
      if (taken?.step === due && step !== due) return
      if (step !== due) throw new Error(`the weights before step ${due + 1} were not kept`)
      hold({ step, arrays: new Map([...weights.parameters()].filter(([path]) => learns.has(path))) })
    },
    state: () => taken,
    restore: hold
  }
}
