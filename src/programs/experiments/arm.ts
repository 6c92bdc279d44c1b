/** An arm's run: trained to its end, and evaluated once. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { checkpointFiles, evaluationFolder } from "../../domain/fileNames.ts"
import type { Summary } from "../../domain/judge.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { exists, sha256 } from "../../runtime/files/disk.ts"
import { Retriever } from "../../runtime/ports/Retriever.ts"
import { modeOf } from "../../systems/all.ts"
import { evaluate, type Evaluation } from "../evaluation/evaluate.ts"
import { modelsOf } from "../evaluation/evaluateRun.ts"
import { kept, type Source, sourceOf, writing } from "../evaluation/evaluationFiles.ts"
import { identity, retrieverIdentity } from "../identity.ts"
import { fitting, skippedOf } from "../preflight.ts"
import { judged, learner, prepare, type Prepared } from "../prepare.ts"
import { start } from "../run.ts"
import { referred } from "../training/reference.ts"
import * as Trained from "../training/trained.ts"

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

/** Evaluates questions with a refreshed index, into a folder of the run's. */
const examine = Effect.fnUntraced(function*<E, R>(
  c: RunConfig,
  { long, records }: Examination,
  name: string,
  source: Effect.Effect<Source, E, R>
) {
  yield* (yield* Retriever).refresh
  const options = {
    read: name === AFTER && modeOf(c).judges.reads,
    task: `${c.output_dir}, ${name === AFTER ? "test" : "ranking before"}`,
    skipped: skippedOf(c, long)
  }
  return yield* writing(join(c.output_dir, name), source, (keep) => evaluate(c, records, options, keep))
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
    const before = ranks ? ranking ?? (yield* examine(config, examined, BEFORE, examined.before)) : undefined
    const trained = yield* start(ready, true)
    const evaluation = yield* examine(config, examined, AFTER, examined.after(trained))
    return { before: before?.summary, trained, evaluation } satisfies Run as Run
  }).pipe(Effect.provide(learner(ready)))
}, Effect.scoped)
