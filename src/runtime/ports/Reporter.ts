/** Telling how far a long task is. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** How far a task is. */
export interface Progress {
  readonly task: string
  readonly done: number
  readonly total: number
  /** Seconds since the task began at `start`. */
  readonly seconds: number
  readonly start: number
  readonly unit: string
  /** Units each of `total` stands for (questions a step). */
  readonly each: number
  readonly figures: Readonly<Record<string, number>>
  /** Units of `done` between lines, where lines are told one after another; a tenth of all where left out. */
  readonly every?: number
}

/** Whoever tells the user. */
export class Reporter extends Context.Service<Reporter, {
  readonly report: (progress: Progress) => Effect.Effect<void>
  readonly note: (line: string) => Effect.Effect<void>
}>()("anamnesis/Reporter") {}

/** Tells nothing. */
export const silent: Layer.Layer<Reporter> = Layer.succeed(Reporter, {
  report: () => Effect.void,
  note: () => Effect.void
})
