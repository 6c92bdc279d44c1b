/** An evaluation's folder: metrics, predictions, ranking and judgements, with what they were made of. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { evaluationFiles } from "../../domain/fileNames.ts"
import { type Judged, summarise, type Verdict } from "../../domain/judge.ts"
import type { QuestionRecord } from "../../domain/records/Records.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import * as Trec from "../../domain/trec.ts"
import { decodeFile, decoding, exists, FileError, jsonOf, replace, sha256, sha256Of } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { environment } from "../environment.ts"
import { stated } from "../identity.ts"
import { fileOf, type Split } from "../prepare.ts"
import { json } from "../run.ts"
import type { Evaluation } from "./evaluate.ts"

/** What an evaluation depends on, written with its metrics; JSON. */
export type Source = Readonly<Record<string, unknown>>

/** The questions as asked and evaluated, one JSON line each. */
const linesOf = function*(records: ReadonlyArray<QuestionRecord>) {
  for (const record of records) yield `${JSON.stringify(record)}\n`
}

/** What an evaluation under the settings depends on, but for its models: questions, passages (by hash) and settings. */
export const sourceOf = (
  c: RunConfig,
  split: Split,
  records: ReadonlyArray<QuestionRecord>,
  corpus: string
): Source => ({
  split,
  questions: { file: fileOf(c, split), sha256: sha256Of(linesOf(records)) },
  passages: { file: c.passages_file, sha256: corpus },
  settings: sha256(JSON.stringify(stated(c)))
})

/** Locks a folder until the scope ends; on failure, removes the folder if it is new. */
const folderFor = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const known = yield* exists(folder)
  yield* Effect.addFinalizer((exit) =>
    known || Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(folder, { recursive: true }))
  )
  yield* Lock.hold(folder)
})

/** Files with one entry per question, written as results arrive. */
const filesIn = Effect.fnUntraced(function*(folder: string) {
  yield* folderFor(folder)
  const [predictions, run, qrels] = [
    yield* LineFile.make(join(folder, evaluationFiles.predictions)),
    yield* LineFile.make(join(folder, evaluationFiles.ranking)),
    yield* LineFile.make(join(folder, evaluationFiles.judgements))
  ]
  return {
    keep: Effect.fnUntraced(function*(judged: ReadonlyArray<Judged>) {
      yield* predictions.add(judged.map((j) => JSON.stringify(j)))
      yield* run.add(judged.flatMap(({ found, id }) => Trec.runLines(id, found)))
      yield* qrels.add(judged.flatMap(({ gold, id }) => Trec.qrelLines(id, gold)))
    }),
    finish: Effect.forEach([predictions, run, qrels], (file) => file.finish, { discard: true })
  }
})
type Keep = Effect.Success<ReturnType<typeof filesIn>>["keep"]

/** Evaluates into a folder; the metrics, which say what they were made of, are written last. */
export const writing = Effect.fnUntraced(function*<E, R, E2, R2>(
  folder: string,
  source: Effect.Effect<Source, E, R>,
  evaluated: (keep: Keep) => Effect.Effect<Evaluation, E2, R2>
) {
  const files = yield* filesIn(folder)
  const evaluation = yield* evaluated(files.keep)
  const judged = yield* source
  yield* files.finish
  const metrics = { ...evaluation.summary, judged, environment: yield* environment }
  yield* replace(join(folder, evaluationFiles.metrics), json(metrics))
  return evaluation
}, Effect.scoped)

/** What is read back of the metrics. */
const Metrics = Schema.Struct({
  questions: Schema.Natural,
  skipped: Schema.Natural,
  seconds: Schema.Finite,
  judged: Schema.Record(Schema.String, Schema.Unknown)
})

const Figure = Schema.NullOr(Schema.Finite)
const orNull = <S extends Schema.Top>(schema: S) =>
  Schema.NullOr(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
const orNone = <S extends Schema.Top>(schema: S) =>
  Schema.Array(schema).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
/** What is read back of a prediction. */
const Kept = Schema.Struct({
  id: Schema.String,
  group: Schema.String,
  type: Schema.String,
  correct: Schema.NullOr(Schema.Literals([0, 1])),
  unparsed: Schema.NullOr(Schema.Boolean),
  ranked: Schema.Boolean,
  reciprocalRank: Figure,
  recall: Schema.Array(Figure),
  ndcg: Figure,
  /** Absent, as those below, from files of earlier versions. */
  debiased: orNull(Schema.Literals([0, 1])),
  orderDependent: orNull(Schema.Literals([0, 1]))
})

/** What is read back of a prediction to show it. */
const Shown = Schema.Struct({
  ...Kept.fields,
  options: Schema.Array(Schema.String),
  answers: Schema.Array(Schema.String),
  answerIndex: Schema.Int,
  prediction: Schema.String,
  predictionIndex: Schema.Int,
  written: Schema.String,
  gold: Schema.Array(Schema.String),
  found: Schema.Array(Schema.Tuple([Schema.String, Schema.Finite])),
  optionNll: orNone(Schema.Finite),
  optionProbabilities: orNone(Schema.Finite),
  orderAnswers: orNone(Schema.Int),
  influence: orNone(Schema.Struct({ id: Schema.String, alone: Schema.Finite, beside: Schema.Finite })),
  verdicts: orNone(Schema.Tuple([Schema.String, Schema.Int]))
})

/** The lines of a file of predictions, decoded one at a time. */
const linesIn = <A>(path: string, decode: (json: unknown) => Effect.Effect<A, { readonly message: string }>) =>
  LineFile.read(path).pipe(
    Stream.zipWithIndex,
    Stream.mapEffect(([line, at]) =>
      Effect.mapError(
        Effect.flatMap(jsonOf(path, line), decoding(path, decode)),
        ({ reason }) => new FileError({ path, place: `line ${at + 1}`, reason })
      )
    )
  )

/** The verdicts of a file of predictions. */
export const verdictsIn = (path: string) => Stream.runCollect(linesIn(path, Schema.decodeUnknownEffect(Kept)))

/** All that a file of predictions tells, a question at a time. */
export const predictionsIn = (path: string): Stream.Stream<Judged, FileError, FileSystem.FileSystem> =>
  linesIn(path, Schema.decodeUnknownEffect(Shown))

/** What an evaluation's metrics tell of it, besides figures that its predictions give. */
export const metricsIn = (folder: string) =>
  decodeFile(
    join(folder, evaluationFiles.metrics),
    Schema.decodeUnknownEffect(Schema.Struct({ ...Metrics.fields, environment: Schema.Unknown }))
  )

/** The evaluation that a folder holds, if it was made of this and is whole; its metrics are computed again. */
export const kept = Effect.fnUntraced(function*(folder: string, source: Source) {
  const path = join(folder, evaluationFiles.metrics)
  if (!(yield* exists(path))) return undefined
  const { judged: made, questions, seconds, skipped } = yield* decodeFile(path, Schema.decodeUnknownEffect(Metrics))
  if (!isDeepStrictEqual(made, JSON.parse(JSON.stringify(source)))) return undefined
  const predictions = join(folder, evaluationFiles.predictions)
  const judged: ReadonlyArray<Verdict> = yield* verdictsIn(predictions)
  if (judged.length !== questions) {
    const reason = `has ${judged.length} of ${questions} questions`
    return yield* new FileError({ path: predictions, place: "", reason })
  }
  return { judged, summary: summarise(judged, seconds, skipped) } satisfies Evaluation as Evaluation
}, Effect.catch((error: FileError) => Effect.as(Effect.logWarning(`${error.message}: evaluated again`), undefined)))
