/** An arm's run: trained to its end, and evaluated once. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { checkpointFiles, checkpointStep, evaluationFiles, evaluationFolder, runFiles } from "../../domain/fileNames.ts"
import type { Summary } from "../../domain/judge.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { exists, located, namesIn, readJson, replace, sha256 } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { Retriever } from "../../runtime/ports/Retriever.ts"
import { Shared } from "../../runtime/ports/Shared.ts"
import { modeOf } from "../../systems/all.ts"
import { evaluate, type Evaluation } from "../evaluation/evaluate.ts"
import { modelsOf } from "../evaluation/evaluateRun.ts"
import { kept, type Source, sourceOf, writing } from "../evaluation/evaluationFiles.ts"
import { identity, retrieverIdentity } from "../identity.ts"
import { fitting, skippedOf } from "../preflight.ts"
import { judged, learner, prepare, type Prepared } from "../prepare.ts"
import { json, start } from "../run.ts"
import { evaluated } from "../training/board.ts"
import { referred } from "../training/reference.ts"
import * as Trained from "../training/trained.ts"
import { ranking } from "./ranking.ts"

/** A trained run with its evaluation. */
export interface Run {
  /** The ranking before training, if the retriever is trained. */
  readonly before: Summary | undefined
  readonly trained: Trained.Trained
  readonly evaluation: Evaluation
}

/** Folders of the evaluations, within the run's. */
const [BEFORE, AFTER] = [evaluationFolder("before"), evaluationFolder("test")]

/** A run's test questions, and what its evaluations depend on. */
const examination = Effect.fnUntraced(function*(c: RunConfig, prepared: Prepared) {
  const { epochs, passages } = prepared
  const { long, records } = yield* fitting(c, "test", "answer", yield* judged(c, "test", prepared))
  const source = {
    ...sourceOf(c, "test", records, passages.hash),
    run: sha256(JSON.stringify(identity(prepared.config, epochs, passages.hash)))
  }
  const after = ({ checkpoint: path, steps: step }: Trained.Trained) =>
    Effect.map(modelsOf({ config: c, checkpoint: { path, step } }), (models): Source => ({ models, ...source }))
  const before = Effect.map(retrieverIdentity(c), (models): Source => ({ models, ...source }))
  return { after, before, long, records }
})
type Examination = Effect.Success<ReturnType<typeof examination>>

/** The record of a run that has taken all its steps, if its last checkpoint is there. */
const finished = Effect.fnUntraced(function*({ max_steps, output_dir }: RunConfig) {
  const trained = yield* Trained.read(output_dir)
  if (trained?.steps !== max_steps) return undefined
  return (yield* exists(join(trained.checkpoint, checkpointFiles.manifest))) ? trained : undefined
})

/** The evaluations that a finished run has; `undefined` if one is missing or depends on what has changed since. */
const known = Effect.fnUntraced(function*({ config }: Prepared, { after, before }: Examination) {
  const { before: ranks } = modeOf(config).judges
  const folder = (name: string) => join(config.output_dir, name)
  const ranking = ranks ? yield* kept(folder(BEFORE), yield* before) : undefined
  const trained = yield* finished(config)
  const evaluation = trained && (yield* kept(folder(AFTER), yield* after(trained)))
  return { ranking, run: evaluation && (ranking || !ranks) ? { trained, evaluation } : undefined }
})

/** The files of a run besides its checkpoints and evaluations. */
const { evaluations, journal, run: ofRun, settings, tensorboard, trained: ofTraining } = runFiles

/** Copies what a twin has to tell of itself, with metrics that name this run's settings; the metrics last. */
const copied = Effect.fnUntraced(function*(c: RunConfig, twin: RunConfig, examined: Examination) {
  const fs = yield* FileSystem.FileSystem
  const paths = (name: string) => [join(twin.output_dir, name), join(c.output_dir, name)] as const
  const copy = Effect.fnUntraced(function*(name: string) {
    const [from, to] = paths(name)
    if (yield* exists(from)) yield* fs.copy(from, to, { overwrite: true }).pipe(located(to))
  })
  yield* Effect.forEach([journal, tensorboard, evaluations, ofRun, ofTraining], copy, { discard: true })
  yield* replace(join(c.output_dir, settings), json(c))
  const trained = yield* finished(c)
  if (trained === undefined) return
  const folders = [[BEFORE, examined.before], [AFTER, examined.after(trained)]] as const
  for (const [name, source] of folders) {
    const [from, to] = paths(name).map((folder) => join(folder, evaluationFiles.metrics)) as [string, string]
    if (!(yield* exists(from))) continue
    yield* copy(name)
    yield* replace(to, json({ ...Object(yield* readJson(from)), judged: yield* source }))
  }
})

/**
 * The figures of a run that is the same as another, which is done: they are copied, and its checkpoint stays where it is. A
 * run that has checkpoints of its own goes on by itself.
 */
export const adopt = Effect.fn("adopt")(function*(config: RunConfig, twin: RunConfig) {
  const prepared = yield* prepare(config)
  const examined = yield* examination(config, prepared)
  const own = (yield* namesIn(config.output_dir)).some((name) => checkpointStep(name) !== undefined)
  if (own || (yield* known(prepared, examined)).run) return yield* runArm(config)
  yield* copied(prepared.config, twin, examined).pipe(Lock.holding(config.output_dir))
  const { run } = yield* known(prepared, examined)
  if (run) {
    yield* (yield* Reporter).note(`${config.output_dir}: has the settings of ${twin.output_dir}, and is not run again`)
    const { save } = yield* Shared
    save("arms", { times: 1, readings: run.trained.steps * stepSize(config), seconds: run.trained.seconds ?? 0 })
  }
  return yield* runArm(config)
}, Effect.scoped)

/** Evaluates questions with a refreshed index and the weights of a step, into a folder of the run's. */
const examine = Effect.fnUntraced(function*<E, R>(
  c: RunConfig,
  { long, records }: Examination,
  name: string,
  step: number,
  source: Effect.Effect<Source, E, R>
) {
  yield* (yield* Retriever).refresh
  const judging = name === AFTER ? evaluate : ranking
  const options = {
    read: name === AFTER && modeOf(c).judges.reads,
    task: `${c.output_dir}, ${name === AFTER ? "test" : "ranking before"}`,
    skipped: skippedOf(c, long)
  }
  const found = yield* writing(join(c.output_dir, name), source, (keep) => judging(c, records, options, keep))
  yield* evaluated(c, name === AFTER ? "test" : "before", step, found.summary)
  return found
})

/**
 * Evaluates the ranking, trains, then evaluates the answers, each unless it is done: evaluations lie in the run's folder,
 * as those of `evaluate`.
 */
export const runArm = Effect.fn("runArm")(function*(config: RunConfig) {
  const prepared = yield* prepare(config)
  const examined = yield* examination(config, prepared)
  const { ranking, run } = yield* known(prepared, examined)
  if (run) return { before: ranking?.summary, ...run } satisfies Run as Run
  const ready = yield* referred(prepared)
  return yield* Effect.gen(function*() {
    const { before: ranks } = modeOf(config).judges
    const before = ranks ? ranking ?? (yield* examine(config, examined, BEFORE, 0, examined.before)) : undefined
    const trained = yield* start(ready, true)
    const evaluation = yield* examine(config, examined, AFTER, trained.steps, examined.after(trained))
    return { before: before?.summary, trained, evaluation } satisfies Run as Run
  }).pipe(Effect.provide(learner(ready)))
}, Effect.scoped)
