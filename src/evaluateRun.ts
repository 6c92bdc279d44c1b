/** Program: a run judged on a split; its figures, predictions and ranking are written beside it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import { createHash } from "node:crypto"
import { dirname, join } from "node:path"
import type { QuestionRecord } from "./domain/Records.ts"
import type { RunConfig } from "./domain/RunConfig.ts"
import * as Trec from "./domain/trec.ts"
import { environment } from "./environment.ts"
import { evaluate } from "./evaluate.ts"
import type { Judged } from "./judge.ts"
import { json, trained } from "./run.ts"
import { located, replace, sha256 } from "./runtime/layers/files.ts"
import * as LineFile from "./runtime/layers/lineFile.ts"
import { Passages } from "./runtime/ports/Passages.ts"
import { inference, questions, type Split } from "./system.ts"

const parts = ["retriever", "reader"] as const

/** The models that were judged: those of a checkpoint of the run, or the folders of the settings, untrained by it. */
const modelsOf = (c: RunConfig, judged: RunConfig) => {
  const folders = Object.fromEntries(parts.map((part) => [part, judged[`${part}_name_or_path`]]))
  const own = parts.find((part) => judged[`${part}_name_or_path`] !== c[`${part}_name_or_path`])
  const checkpoint = own === undefined ? null : dirname(judged[`${own}_name_or_path`])
  const step = Number(/checkpoint-(\d+)$/.exec(checkpoint ?? "")?.[1] ?? NaN)
  return { ...folders, checkpoint, step: Number.isNaN(step) ? null : step }
}

/** SHA-256 of the questions as they were asked and judged. */
const hashOf = (records: ReadonlyArray<QuestionRecord>): string => {
  const hash = createHash("sha256")
  for (const record of records) hash.update(`${JSON.stringify(record)}\n`)
  return hash.digest("hex")
}

/** What figures are of: models, data, and the settings, by which they can be told from others'. */
const judgedOf = Effect.fnUntraced(
  function*(c: RunConfig, config: RunConfig, split: Split, records: ReadonlyArray<QuestionRecord>) {
    const { hash } = yield* Passages
    return {
      models: modelsOf(c, config),
      split,
      questions: { file: c[`${split}_file`] || c.train_file, sha256: hashOf(records) },
      passages: { file: c.passages_file, sha256: hash },
      settings: sha256(JSON.stringify(c))
    }
  }
)

/** A folder that is there; where it was not before and nothing comes of it, it goes again. */
const folderFor = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const known = yield* fs.exists(folder).pipe(located(folder))
  yield* fs.makeDirectory(folder, { recursive: true }).pipe(located(folder))
  yield* Effect.addFinalizer((exit) =>
    known || Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(folder, { recursive: true }))
  )
})

/** The files of what is judged one by one, written as it is. */
const filesIn = Effect.fnUntraced(function*(folder: string) {
  yield* folderFor(folder)
  const [predictions, run, qrels] = [
    yield* LineFile.make(join(folder, "predictions.jsonl")),
    yield* LineFile.make(join(folder, "run.trec")),
    yield* LineFile.make(join(folder, "qrels.trec"))
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
  const config = yield* trained(c)
  const records = yield* questions(config, split)
  const options = {
    passages: config.mode === "oracle" ? "gold" : "found",
    read: config.mode !== "lexical",
    task: split
  } as const
  const folder = join(c.output_dir, `eval-${split}`)
  return yield* Effect.gen(function*() {
    const judged = yield* judgedOf(c, config, split, records)
    const files = yield* filesIn(folder)
    const { summary } = yield* evaluate(records, options, files.keep)
    yield* files.finish
    yield* replace(join(folder, "metrics.json"), json({ ...summary, judged, environment: yield* environment }))
    return summary
  }).pipe(Effect.scoped, Effect.provide(yield* inference(config)))
})
