/** `trained.json`: the progress of a run, its time and its losses; `clock.json`: its time between checkpoints. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { runFiles } from "../../domain/fileNames.ts"
import { decodeFile, exists, replace, sha256 } from "../../runtime/files/disk.ts"
import type { Identity } from "../../runtime/ports/Checkpoints.ts"

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
  /** Figures of the rows held out, where there are any, when they were last judged; null where not finite. */
  evaluation: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Union([Schema.NullOr(Schema.Finite), Schema.String]))
  ),
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

/** The time a run has taken so far, whatever became of its steps. */
const Spent = Schema.Struct({
  /** SHA-256 of the run's identity: another run in the same folder starts at 0. */
  run: Schema.String,
  seconds: Positive
})

/** Path of the time's file in a run's folder. */
export const clockOf = (output: string): string => join(output, runFiles.clock)

/** Seconds between two writes of the time: as much is lost, at most, besides a step, when a run is killed. */
const TICK = 10

/** A value as the bytes of a JSON file. */
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)

/** Seconds of all earlier starts of a run; `null` if a file that held part of them is gone. */
const earlier = Effect.fnUntraced(function*(output: string, start: number, run: string) {
  const path = clockOf(output)
  const spent = (yield* exists(path)) ? yield* decodeFile(path, Schema.decodeUnknownEffect(Spent)) : undefined
  if (spent?.run === run) return spent.seconds
  return start === 0 ? 0 : (yield* read(output))?.seconds ?? null
})

interface Kept {
  readonly step: number
  /** Questions per step. */
  readonly size: number
  readonly losses: Losses | undefined
  /** Updates skipped, by model; `undefined` without a loss scale. */
  readonly skipped: Readonly<Record<string, number>> | undefined
  /** The last figures of the rows held out; `undefined` without any. */
  readonly evaluation?: Trained["evaluation"]
  readonly checkpoint: string
}

const finite = (loss: number | undefined): number | null => loss !== undefined && Number.isFinite(loss) ? loss : null

/**
 * Measures the time of a run that continues from step `start`: that of all its starts, those included that were killed
 * before they saved a step.
 */
export const clock = Effect.fnUntraced(function*(output: string, start: number, identity: Identity) {
  const run = sha256(JSON.stringify(identity))
  const before = yield* earlier(output, start, run)
  const began = yield* Clock.currentTimeMillis
  let written = 0
  /** Seconds since it continued. */
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  const write = Effect.fnUntraced(function*(seconds: number) {
    if (before === null) return
    written = seconds
    yield* replace(clockOf(output), bytes({ run, seconds: before + seconds } satisfies typeof Spent.Type))
  })
  /** To be called after each step: writes the time now and then. */
  const tick = Effect.flatMap(elapsed, (seconds) => seconds - written < TICK ? Effect.void : write(seconds))
  const keep = Effect.fnUntraced(function*({ checkpoint, evaluation, losses, size, skipped, step }: Kept) {
    const own = step > start ? yield* elapsed : 0
    const seconds = before === null ? null : before + own
    yield* write(own)
    const trained: Trained = {
      steps: step,
      seconds,
      questionsPerSecond: seconds === null ? null : step * size / Math.max(seconds, 1e-9),
      retrieverLoss: finite(losses?.retrieverLoss),
      readerLoss: finite(losses?.readerLoss),
      ...(skipped ? { skipped } : {}),
      ...(evaluation ? { evaluation } : {}),
      checkpoint
    }
    yield* replace(pathOf(output), bytes(trained))
    return trained
  })
  return { elapsed, keep, tick }
})
