/** Progress reports of long tasks. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Progress of a task. */
export interface Progress {
  readonly task: string
  readonly done: number
  readonly total: number
  /** Seconds since the task began, with `done` at `start`. */
  readonly seconds: number
  readonly start: number
  readonly unit: string
  /** Units per item of `total` (questions per step). */
  readonly each: number
  readonly figures: Readonly<Record<string, number>>
  /** Items between lines, in line-by-line output; a tenth of the total by default. */
  readonly every?: number
}

/** Reports to the user. */
export class Reporter extends Context.Service<Reporter, {
  readonly report: (progress: Progress) => Effect.Effect<void>
  readonly note: (line: string) => Effect.Effect<void>
}>()("anamnesis/Reporter") {}

/** Reports nothing. */
export const silent: Layer.Layer<Reporter> = Layer.succeed(Reporter, {
  report: () => Effect.void,
  note: () => Effect.void
})
