/** Runs as a report reads them from disk: settings, progress, curves and kept evaluations; what is damaged is told. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { evaluationFiles, evaluationFolder, runFiles } from "../../domain/fileNames.ts"
import type { Judged, Verdict } from "../../domain/judge.ts"
import { verdict } from "../../domain/judge.ts"
import type { ConfigError } from "../../domain/settings/configure.ts"
import type { Raw, RunConfig } from "../../domain/settings/RunConfig.ts"
import { decodeFile, exists, FileError } from "../../runtime/files/disk.ts"
import { modeOf } from "../../systems/all.ts"
import { checkedBeside, type KeptChecks } from "../analysis/hallucinated.ts"
import { type Kept, keptBeside } from "../analysis/kept.ts"
import { metricsIn, predictionsIn } from "../evaluation/evaluationFiles.ts"
import { load } from "../settings.ts"
import * as Trained from "../training/trained.ts"
import { type Curve, curvesOf } from "./curves.ts"
import type { RunFolder } from "./folders.ts"

/** A question as an arm answered it. */
export interface Answered extends Verdict, Omit<Judged, "found"> {
  /** Passages found, and the best of them. */
  readonly found: number
  readonly top: Judged["found"]
  /** Ranks of the gold passages that were found, from 1, rising. */
  readonly goldRanks: ReadonlyArray<number>
}

/** A kept evaluation. */
export interface Evaluated {
  readonly skipped: number
  readonly seconds: number
  /** What it was made of: models, questions, passages, settings. */
  readonly source: Readonly<Record<string, unknown>>
  readonly answered: ReadonlyArray<Answered>
}

/** What is known of a run; what it lacks or what is damaged is `undefined`, and told. */
export interface ReportedRun extends RunFolder {
  readonly config: RunConfig | undefined
  /** Passages that the reader is given. */
  readonly reads: number | undefined
  readonly trained: Trained.Trained | undefined
  readonly threads: number | undefined
  readonly before: Evaluated | undefined
  readonly evaluated: Evaluated | undefined
  /** What was read of the evaluated questions with single passages. */
  readonly analysis: Kept | undefined
  /** What of its written answers was checked against their passages. */
  readonly checked: KeptChecks | undefined
  readonly curves: ReadonlyArray<Curve>
}

/** Passages of a ranking that are kept: more are counted, not shown. */
export const MOST_SHOWN = 20

/** A prediction with its ranking cut to what is shown. */
export const answeredOf = (judged: Judged): Answered => {
  const { found, ...own } = judged
  const gold = new Set(judged.gold)
  const goldRanks = found.flatMap(([id], i) => gold.has(id) ? [i + 1] : [])
  return { ...verdict(judged), ...own, found: found.length, top: found.slice(0, MOST_SHOWN), goldRanks }
}

/** The evaluation of a folder; `undefined` if there is none, which is not yet an error. */
const evaluatedIn = Effect.fnUntraced(function*(folder: string) {
  if (!(yield* exists(join(folder, evaluationFiles.metrics)))) return undefined
  const { judged: source, questions, seconds, skipped } = yield* metricsIn(folder)
  const path = join(folder, evaluationFiles.predictions)
  const answered = yield* Stream.runCollect(Stream.map(predictionsIn(path), answeredOf))
  if (answered.length !== questions) {
    const reason = `has ${answered.length} of ${questions} questions`
    return yield* new FileError({ path, place: "", reason })
  }
  return { skipped, seconds, source, answered } satisfies Evaluated as Evaluated
})

/** What is read back of `run.json`. */
const Run = Schema.Struct({ environment: Schema.Struct({ threads: Schema.Natural }) })

const threadsIn = Effect.fnUntraced(function*(folder: string) {
  const path = join(folder, runFiles.run)
  if (!(yield* exists(path))) return undefined
  return (yield* decodeFile(path, Schema.decodeUnknownEffect(Run))).environment.threads
})

const configIn = Effect.fnUntraced(function*(folder: string, overrides: Raw) {
  const path = join(folder, runFiles.settings)
  return (yield* exists(path)) ? yield* load(path, overrides) : undefined
})

/** Collects what could not be read, in whole sentences. */
export interface Telling {
  readonly damaged: Array<string>
}

/** `undefined` for what cannot be read, which is told. */
export const orTold = <A, E extends FileError | ConfigError, R>(
  { damaged }: Telling,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A | undefined, never, R> =>
  Effect.catch(effect, (error) =>
    Effect.sync(() => {
      damaged.push(error.message)
      return undefined
    }))

/** Reads a run; `overrides` win over its settings. */
export const readRun = Effect.fn("readRun")(function*(folder: RunFolder, overrides: Raw, telling: Telling) {
  const told = <A, E extends FileError | ConfigError>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
    orTold(telling, effect)
  const { evaluation, run } = folder
  const config = yield* told(configIn(run, overrides))
  return {
    ...folder,
    config,
    reads: config && modeOf(config).context,
    trained: yield* told(Trained.read(run)),
    threads: yield* told(threadsIn(run)),
    before: yield* told(evaluatedIn(join(run, evaluationFolder("before")))),
    evaluated: yield* told(evaluatedIn(evaluation)),
    analysis: yield* told(keptBeside(evaluation)),
    checked: yield* told(checkedBeside(evaluation)),
    curves: config ? (yield* told(curvesOf(config, run))) ?? [] : []
  } satisfies ReportedRun as ReportedRun
})
