/**
 * Program: runs questions through the stages of their mode, step by step, with journal, checkpoints and index refresh.
 */
import type { RecordBatch } from "apache-arrow"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Batches from "../datasets/batches.ts"
import type { TokenRecord } from "../domain/examples/tokens.ts"
import * as Frame from "../domain/Frame.ts"
import { ConfigError } from "../domain/settings/configure.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { stepSize } from "../domain/settings/training.ts"
import { Lesson } from "../domain/tables.ts"
import { columns } from "../domain/textTable.ts"
import * as Journal from "../runtime/files/journal.ts"
import { Checkpoints, type Identity } from "../runtime/ports/Checkpoints.ts"
import { Corpus } from "../runtime/ports/Corpus.ts"
import { labelOf, type ParameterGroup } from "../runtime/ports/Learning.ts"
import { Reporter } from "../runtime/ports/Reporter.ts"
import { modeOf } from "../systems/all.ts"
import { identity } from "./identity.ts"
import { board } from "./training/board.ts"
import { course, type LossScales, lossScales } from "./training/course.ts"
import { heldOut } from "./training/heldOut.ts"
import { indexKeeper } from "./training/staleness.ts"
import * as Trained from "./training/trained.ts"

const table = (groups: ReadonlyArray<ParameterGroup>, norms: ReadonlyMap<string, number>): string => {
  const rows = groups.map((g) => [
    labelOf(g),
    g.parameters.toLocaleString("en"),
    g.trainable ? `lr ${g.learningRate}` : "frozen",
    norms.has(labelOf(g)) ? `|grad| ${norms.get(labelOf(g))!.toExponential(2)}` : ""
  ])
  return columns(rows, (i) => i !== 1)
}

const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length

const lossesOf = (rows: Frame.Frame<typeof Lesson>): Trained.Losses => ({
  retrieverLoss: mean(Frame.column(rows, "retrieverLoss")),
  readerLoss: mean(Frame.column(rows, "readerLoss"))
})

/** Loss scales as figures of a report. */
const scaleFigures = (scales: LossScales): Readonly<Record<string, number>> =>
  Object.fromEntries(
    scales.flatMap(({ name, scale, skipped }) => [[`${name}LossScale`, scale], [`${name}Skipped`, skipped]])
  )

/** Updates skipped, by model; `undefined` without a loss scale. */
const skippedOf = (scales: LossScales): Readonly<Record<string, number>> | undefined =>
  scales.length === 0 ? undefined : Object.fromEntries(scales.map(({ name, skipped }) => [name, skipped]))

/** Tells of the updates that were skipped, up to a step. */
const toldSkips = (scales: LossScales, step: number): ReadonlyArray<string> =>
  scales.filter(({ skipped }) => skipped > 0).map(({ name, scale, skipped }) =>
    `${name}: ${skipped} of ${step} updates skipped, gradients not finite in float16; loss scale now ${scale}`
  )

/** Losses of the last step in the journal. */
const lastLosses = (output: string) =>
  Effect.map(Journal.last(output), (batch) => batch && lossesOf(Frame.fromBatch(Lesson, batch)))

/** Warns that several steps per run use outdated weights. */
const staleness = ({ steps_per_run }: RunConfig): string =>
  `steps_per_run ${steps_per_run}: passages are found and judged with weights up to ${steps_per_run - 1} steps old`

/** Maximum number of steps the journal buffers in memory. */
const FLUSH = 256

/** The journal of a run from step `start` on. */
const journal = (output: string, start: number) => {
  let [from, pending] = [start, new Array<RecordBatch>()]
  const flush = Effect.gen(function*() {
    if (pending.length === 0) return
    yield* Journal.write(output, from, from + pending.length, pending)
    from += pending.length
    pending = []
  })
  const add = (batch: RecordBatch) =>
    Effect.suspend(() => {
      pending.push(batch)
      return pending.length < FLUSH ? Effect.void : flush
    })
  return { add, flush }
}

/** How a run starts. */
export interface TrainOptions<E, R> {
  /** Resume from the newest checkpoint, if there is one. */
  readonly resume: boolean
  /** Called once the run is known to be able to start, before it writes anything. */
  readonly begin?: (start: number) => Effect.Effect<void, E, R>
  /** Rows that are judged, not learned. */
  readonly heldOut?: ReadonlyArray<TokenRecord> | undefined
}

/** The first step of a run: that of its newest checkpoint, if it resumes. */
const startOf = Effect.fnUntraced(function*(c: RunConfig, run: Identity, resume: boolean) {
  const position = resume ? yield* (yield* Checkpoints).restore(run) : undefined
  const start = position?.step ?? 0
  if (start <= c.max_steps) return start
  const problem = `max_steps (${c.max_steps}) is behind its checkpoint of step ${start}`
  return yield* new ConfigError({ source: c.output_dir, problems: [problem] })
})

/** Trains up to the last configured step. */
export const train = Effect.fn("train")(function*<E = never, R = never>(
  c: RunConfig,
  epochs: Batches.RowEpochs,
  { begin = () => Effect.void, heldOut: held, resume }: TrainOptions<E, R>
) {
  const checkpoints = yield* Checkpoints
  const index = yield* indexKeeper(c, epochs)
  const reporter = yield* Reporter
  const { figures, gate, groups, learn: learning, refreshes, runs } = yield* course(c, epochs)
  const scales = yield* lossScales
  const run = identity(c, epochs, (yield* Corpus).hash)

  const start = yield* startOf(c, run, resume)
  const norms = start === 0 && c.max_steps > 0 ? yield* gate : new Map<string, number>()
  yield* begin(start)
  yield* Journal.truncate(c.output_dir, start)
  yield* reporter.note(table(groups, norms))

  const written = journal(c.output_dir, start)
  const clock = yield* Trained.clock(c.output_dir, start, run)
  const events = yield* board(c, start)
  const judged = yield* heldOut(c, held, epochs(0).length, start, events?.judged)
  let [step, losses] = [start, yield* lastLosses(c.output_dir)]
  const keep = Effect.gen(function*() {
    yield* written.flush
    if (events) yield* events.flush
    const checkpoint = yield* checkpoints.save({ step, run })
    return yield* clock.keep({
      step,
      size: stepSize(c),
      losses,
      skipped: skippedOf(scales()),
      evaluation: judged.last(),
      checkpoint
    })
  })
  const told = Effect.fnUntraced(function*(learned: Frame.Frame<typeof Lesson>) {
    const batch = index.marked(learned)
    yield* written.add(batch)
    step++
    if (events) yield* events.step(step, batch, scaleFigures(scales()))
    losses = lossesOf(learned)
    yield* reporter.report({
      task: c.mode,
      done: step,
      total: c.max_steps,
      start,
      seconds: yield* clock.elapsed,
      unit: modeOf(c).texts ? "rows" : "questions",
      each: stepSize(c),
      figures: { ...(figures?.(learned) ?? losses), ...scaleFigures(scales()) },
      every: c.logging_steps
    })
    yield* clock.tick
  })
  const learn = Effect.fnUntraced(function*(run: ReadonlyArray<Batches.RowFrame>) {
    yield* Effect.forEach(yield* learning(run), told, { discard: true })
    yield* judged.after(step, run.length)
    if (c.save_steps > 0 && step % c.save_steps === 0 && step < c.max_steps) yield* keep
  })
  const ended = Effect.tap(
    keep,
    () => Effect.forEach(toldSkips(scales(), step), reporter.note, { discard: true })
  )
  const stop = ended.pipe(
    Effect.flatMap(({ checkpoint }) => reporter.note(`stopped, saved ${checkpoint}`)),
    Effect.catch((error) => reporter.note(`stopped after step ${step}, which could not be saved: ${error.message}`))
  )
  if (c.steps_per_run > 1) yield* reporter.note(staleness(c))
  yield* runs(start, c.max_steps).pipe(
    Stream.runForEach((run) =>
      Effect.andThen(refreshes(step) ? index.refresh(step) : Effect.void, Effect.uninterruptible(learn(run)))
    ),
    Effect.onInterrupt(() => stop)
  )
  return yield* ended
})
