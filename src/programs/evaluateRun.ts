/** Program: evaluates a run on a split and writes metrics, predictions and ranking to the run's folder. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { evaluationFiles, evaluationFolder } from "../domain/fileNames.ts"
import type { Judged } from "../domain/judge.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import * as Trec from "../domain/trec.ts"
import { exists, replace, sha256, sha256Of } from "../runtime/files/disk.ts"
import * as LineFile from "../runtime/files/lineFile.ts"
import * as Lock from "../runtime/files/lock.ts"
import { modeOf } from "../systems/all.ts"
import { environment } from "./environment.ts"
import { evaluate } from "./evaluate.ts"
import { basesOf, quantizationOf } from "./models.ts"
import { fitting, skippedOf } from "./preflight.ts"
import { answering, corpus, fileOf, judged, type Split } from "./prepare.ts"
import { type Chosen, json, trained } from "./run.ts"

/** Identifies what was evaluated: models, data and settings. */
const judgedOf = (
  c: RunConfig,
  split: Split,
  { checkpoint, config }: Chosen,
  data: {
    readonly records: ReadonlyArray<QuestionRecord>
    readonly corpus: string
    readonly bases: Readonly<Record<string, string>> | undefined
  }
) => ({
  models: {
    retriever: config.retriever_name_or_path,
    reader: config.reader_name_or_path,
    /** Of adapters, by the setting that names them. */
    bases: data.bases,
    /** Of the reader; figures of other quantisations are not its. */
    quantization: quantizationOf(config),
    checkpoint: checkpoint?.path ?? null,
    step: checkpoint?.step ?? null
  },
  split,
  questions: { file: fileOf(c, split), sha256: sha256Of(linesOf(data.records)) },
  passages: { file: c.passages_file, sha256: data.corpus },
  settings: sha256(JSON.stringify(c))
})

/** The questions as asked and evaluated, one JSON line each. */
const linesOf = function*(records: ReadonlyArray<QuestionRecord>) {
  for (const record of records) yield `${JSON.stringify(record)}\n`
}

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

/** Writes `metrics.json`, `predictions.jsonl`, `run.trec` and `qrels.trec` to `eval-<split>` of the run's folder. */
export const evaluateRun = Effect.fn("evaluateRun")(function*(c: RunConfig, split: Split) {
  const chosen = yield* trained(c)
  const { config } = chosen
  const data = yield* corpus(config)
  const { long, records } = yield* fitting(config, split, "answer", yield* judged(config, split, data))
  const options = {
    read: modeOf(config).judges.reads,
    task: split,
    skipped: skippedOf(config, long)
  } as const
  const folder = join(c.output_dir, evaluationFolder(split))
  return yield* Effect.gen(function*() {
    const files = yield* filesIn(folder)
    const { summary } = yield* evaluate(config, records, options, files.keep)
    const of = judgedOf(c, split, chosen, { records, corpus: data.passages.hash, bases: yield* basesOf(config) })
    yield* files.finish
    yield* replace(
      join(folder, evaluationFiles.metrics),
      json({ ...summary, judged: of, environment: yield* environment })
    )
    return summary
  }).pipe(Effect.scoped, Effect.provide(answering(config, data.passages)))
}, Effect.scoped)
