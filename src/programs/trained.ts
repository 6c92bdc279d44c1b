/** `trained.json`: the progress of a run, its time and its losses. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { runFiles } from "../domain/fileNames.ts"
import { decodeFile, exists, replace } from "../runtime/files/disk.ts"

const Positive = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const Trained = Schema.Struct({
  steps: Schema.Natural,
  /** Spent on these steps, including lost steps that were repeated; null if a lost file held part of it. */
  seconds: Schema.NullOr(Positive),
  questionsPerSecond: Schema.NullOr(Positive),
  /** Means over the last step; null before the first, and where it was skipped because they were not finite. */
  retrieverLoss: Schema.NullOr(Schema.Finite),
  readerLoss: Schema.NullOr(Schema.Finite),
  /** Updates that were skipped, by model, where there is a loss scale: their gradients were not finite in float16. */
  skipped: Schema.optionalKey(Schema.Record(Schema.String, Schema.Natural)),
  checkpoint: Schema.String
})
/** The progress of a run, as stored in the file. */
export type Trained = typeof Trained.Type

/** The last losses of both models. */
export interface Losses {
  readonly retrieverLoss: number
  readonly readerLoss: number
}

/** Path of the file in a run's folder. */
export const pathOf = (output: string): string => join(output, runFiles.trained)

/** Reads the file from a run's folder; `undefined` if there is none. */
export const read = Effect.fnUntraced(function*(output: string) {
  const path = pathOf(output)
  return (yield* exists(path)) ? yield* decodeFile(path, Schema.decodeUnknownEffect(Trained)) : undefined
})

interface Kept {
  readonly step: number
  /** Questions per step. */
  readonly size: number
  readonly losses: Losses | undefined
  /** Updates skipped, by model; `undefined` without a loss scale. */
  readonly skipped: Readonly<Record<string, number>> | undefined
  readonly checkpoint: string
}

const finite = (loss: number | undefined): number | null => loss !== undefined && Number.isFinite(loss) ? loss : null

/** Measures the time of a run that continues from step `start`. */
export const clock = Effect.fnUntraced(function*(output: string, start: number) {
  const before = start === 0 ? 0 : (yield* read(output))?.seconds ?? null
  const began = yield* Clock.currentTimeMillis
  /** Seconds since it continued. */
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  const keep = Effect.fnUntraced(function*({ checkpoint, losses, size, skipped, step }: Kept) {
    const seconds = before === null ? null : before + (step > start ? yield* elapsed : 0)
    const trained: Trained = {
      steps: step,
      seconds,
      questionsPerSecond: seconds === null ? null : step * size / Math.max(seconds, 1e-9),
      retrieverLoss: finite(losses?.retrieverLoss),
      readerLoss: finite(losses?.readerLoss),
      ...(skipped ? { skipped } : {}),
      checkpoint
    }
    yield* replace(pathOf(output), new TextEncoder().encode(`${JSON.stringify(trained, null, 2)}\n`))
    return trained
  })
  return { elapsed, keep }
})
