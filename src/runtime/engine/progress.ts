/** How far a learner has come: its updates, those of them that were skipped, and the state of its loss scale. */
import { type GradScaler, initial } from "../../kernels/optim/gradScaler.ts"
import { names } from "../../kernels/Step.ts"
import type { Feeds } from "./Session.ts"

/** What a learner carries from update to update besides weights and slots. */
export interface Progress {
  /** Updates so far, with those skipped. */
  readonly updates: number
  /** Updates skipped because their gradients were not finite, which only a loss scale allows. */
  readonly skipped: number
  /** State of the loss scale: float32 scalars by graph input. Empty if there is none. */
  readonly scaling: Readonly<Record<string, Float32Array>>
}

/** Before the first update. */
export const start = (scaler: GradScaler | undefined): Progress => ({
  updates: 0,
  skipped: 0,
  scaling: Object.fromEntries(
    Object.entries(scaler ? initial(scaler) : {}).map(([name, value]) => [names.scaler(name), Float32Array.of(value)])
  )
})

/** The progress to resume from; a loss scale that it lacks is as before the first update. */
export const resumed = (from: Progress, scaler: GradScaler | undefined): Progress => ({
  ...from,
  scaling: Object.fromEntries(
    Object.entries(start(scaler).scaling).map(([name, value]) => [name, from.scaling[name] ?? value])
  )
})

/** Whether the update that a program reports was skipped. */
export const isSkipped = ({ skipped }: Feeds<string>): boolean => skipped?.[0] === 1

/** Why training cannot go on, if the loss scale has fallen below its minimum. */
export const tooSmall = (scaler: GradScaler | undefined, { lossScale }: Feeds<string>): string | undefined =>
  scaler && lossScale![0]! < scaler.min_scale
    ? `gradients are not finite in float16 at any loss scale down to ${scaler.min_scale}; bfloat16 and float32 have a `
      + "greater range"
    : undefined

/** The state of the loss scale after a program. */
export const scalingOf = ({ scaling }: Progress, results: Feeds<string>): Progress["scaling"] =>
  Object.fromEntries(Object.keys(scaling).map((name) => [name, Float32Array.from(results[names.next(name)]!)]))

/** The progress after a program that reports these updates and yields these results. */
export const after = (before: Progress, reports: ReadonlyArray<Feeds<string>>, results: Feeds<string>): Progress => ({
  updates: before.updates + reports.length,
  skipped: before.skipped + reports.filter(isSkipped).length,
  scaling: scalingOf(before, results)
})
