/** Program: measures a few steps of a run, executed exactly as the run would, and discards them. */
import type { RecordBatch } from "apache-arrow"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { RowEpochs } from "../../datasets/batches.ts"
import { parts } from "../../domain/fileNames.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import type { Meter } from "../../runtime/engine/Meter.ts"
import * as Journal from "../../runtime/files/journal.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { Retriever } from "../../runtime/ports/Retriever.ts"
import { modeOf } from "../../systems/all.ts"
import { course } from "../training/course.ts"

/** The probe failed where the run would fail too. */
export class ProbeFailed extends Schema.TaggedError<ProbeFailed>()("ProbeFailed", {
  /** "index", "gate", "step 2". */
  phase: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the probe failed (${this.phase}): ${this.reason}`
  }
}

/** Cost per question of one kind of program. */
export interface Work {
  readonly program: string
  /** Floating-point operations of matrix products. */
  readonly flops: number
  readonly seconds: number
}

/** The index: built before the first step if the run has none, and rebuilt as `refresh_index` says, at most. */
export interface Index {
  /** To build it once. */
  readonly flops: number
  readonly seconds: number
  readonly bytes: number
  /** How many times the run builds it. */
  readonly times: number
}

/** Measurements of a few steps. */
export interface Probe {
  readonly steps: number
  /** Steps that were timed: all but those of the first program run, if there are more. */
  readonly timed: number
  readonly work: ReadonlyArray<Work>
  readonly index: Index
  /** Per step, without compilation. */
  readonly stepSeconds: number
  /** To compile the programs that the probe used. */
  readonly compileSeconds: number
  /** For the whole run, without writing checkpoints. */
  readonly runSeconds: number
  /** Bytes of the whole run's journal. */
  readonly journal: number
}

/** Sums a figure over items. */
export const total = <A>(items: Iterable<A>, f: (item: A) => number): number =>
  [...items].reduce((sum, item) => sum + f(item), 0)

/** Observations: the seconds of each phase, and the columns of each step. */
interface Seen {
  readonly seconds: ReadonlyMap<string, number>
  readonly batches: ReadonlyArray<RecordBatch>
  /** The steps of each phase that has any. */
  readonly runs: ReadonlyMap<string, number>
  /** How many times the run builds an index. */
  readonly indexes: number
}

/** A phase of one step, or of the steps of one program run. */
const stepping = (first: number, count: number): string =>
  count === 1 ? `step ${first}` : `steps ${first} to ${first + count - 1}`
const isStep = (phase: string): boolean => /^steps? \d/.test(phase)

const indexOf = (meter: Meter, { indexes, seconds }: Seen): Index => {
  const used = meter.used.filter(({ phase }) => phase === "index")
  return {
    flops: total(used, ({ flops }) => flops),
    seconds: (seconds.get("index") ?? 0) - meter.compiled("index"),
    bytes: total(used, ({ results }) => results),
    times: used.length === 0 ? 0 : indexes
  }
}

const workOf = (meter: Meter, questions: number): ReadonlyArray<Work> => {
  const used = meter.used.filter(({ phase }) => isStep(phase))
  return [...Map.groupBy(used, ({ program }) => program)].map(([program, own]) => ({
    program,
    flops: total(own, ({ flops }) => flops) / questions,
    seconds: total(own, ({ seconds }) => seconds) / questions
  }))
}

/** Extrapolates the journal's size from what each step after the first adds to a file. */
const journalOf = (batches: ReadonlyArray<RecordBatch>, steps: number): number => {
  const [one, all] = [batches.slice(0, 1), batches].map((own) => Journal.encode(own).length) as [number, number]
  return Math.round(one + (steps - 1) * (batches.length > 1 ? (all - one) / (batches.length - 1) : one))
}

const told = (c: RunConfig, meter: Meter, seen: Seen): Probe => {
  const runs = [...seen.runs].map(([phase, steps]) => ({
    steps,
    seconds: seen.seconds.get(phase)! - meter.compiled(phase)
  }))
  const timed = runs.length > 1 ? runs.slice(1) : runs
  const stepSeconds = total(timed, ({ seconds }) => seconds) / total(timed, ({ steps }) => steps)
  const compileSeconds = total(meter.compiling.values(), (s) => s)
  const index = indexOf(meter, seen)
  const gate = seen.seconds.get("gate")! - meter.compiled("gate")
  return {
    steps: seen.batches.length,
    timed: total(timed, ({ steps }) => steps),
    work: workOf(meter, seen.batches.length * stepSize(c)),
    index,
    stepSeconds,
    compileSeconds,
    runSeconds: compileSeconds + gate + index.times * index.seconds + c.max_steps * stepSeconds,
    journal: journalOf(seen.batches, c.max_steps)
  }
}

/** Runs the index build, the preflight gradient check and the first steps of a run, in a metered session. */
export const probe = Effect.fn("probe")(function*(c: RunConfig, epochs: RowEpochs, steps: number, meter: Meter) {
  const reporter = yield* Reporter
  const retriever = yield* Retriever
  const { gate, groups, learn, refreshes, runs } = yield* course(c, epochs)
  const seconds = new Map<string, number>()
  const batches: Array<RecordBatch> = []
  const phases = new Map<string, number>()
  const during = Effect.fnUntraced(function*<A, E extends { readonly message: string }, R>(
    phase: string,
    effect: Effect.Effect<A, E, R>
  ) {
    yield* reporter.note(`probe: ${phase}`)
    const [spent, done] = yield* Effect.timed(meter.during(phase)(effect)).pipe(
      Effect.mapError((error) => new ProbeFailed({ phase, reason: error.message }))
    )
    seconds.set(phase, Duration.toSeconds(spent))
    return done
  })
  /** Frozen weights keep their index. */
  const [RETRIEVER] = parts
  const learns = groups.some(({ model, trainable }) => trainable && model === RETRIEVER)
  const again = learns ? Array.from({ length: c.max_steps }, (_, step) => refreshes(step)).filter(Boolean).length : 0
  const indexes = (c.index_path === "" && modeOf(c).traits.passages === "found" ? 1 : 0) + again
  if (indexes > 0) yield* during("index", retriever.refresh)
  yield* during("gate", gate)
  yield* runs(0, steps).pipe(
    Stream.runForEach((run) => {
      const phase = stepping(batches.length + 1, run.length)
      phases.set(phase, run.length)
      return Effect.map(during(phase, learn(run)), (learned) => void batches.push(...learned.map(({ batch }) => batch)))
    })
  )
  return told(c, meter, { seconds, batches, runs: phases, indexes })
})
