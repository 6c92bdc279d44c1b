/** What a path of passages or questions names: a file, one dataset of it, the files of a folder, or BEIR's. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, dirname, join } from "node:path"
import type { Split } from "../domain/records/Records.ts"
import { FileError, located } from "../runtime/files/disk.ts"

/** A file of records. */
export interface RecordFile {
  readonly path: string
  /** Which of the datasets that a JSON object holds. */
  readonly dataset?: string
}

/** A file of questions. */
export interface QuestionFile extends RecordFile {
  /** A table of which passages are relevant to which question. */
  readonly qrels?: string
}

const readable = /\.(?:jsonl|ndjson|json|parquet)$|\.(?:jsonl|ndjson|json)\.gz$/

const typeOf = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  return (yield* fs.exists(path).pipe(located(path))) ? (yield* fs.stat(path).pipe(located(path))).type : undefined
})

/** A file and, after "#", a dataset of it; a file whose own name has a "#" is itself. */
const named = Effect.fnUntraced(function*(path: string) {
  const at = path.lastIndexOf("#")
  if (at < 0 || (yield* typeOf(path)) !== undefined) return { path } as RecordFile
  return { path: path.slice(0, at), dataset: path.slice(at + 1) } as RecordFile
})

const filesOf = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const names = yield* fs.readDirectory(folder).pipe(located(folder))
  return names.filter((name) => readable.test(name)).toSorted()
})

/** Files of that name, whatever their kind. */
const called = (names: ReadonlyArray<string>, name: string): string | undefined =>
  names.find((other) => other.replace(readable, "") === name)

/** A file; of a folder `corpus.jsonl`, as BEIR has it, or else all files of records in the order of their names. */
export const corpusFiles = Effect.fnUntraced(function*(path: string) {
  if ((yield* typeOf(path)) !== "Directory") return [yield* named(path)]
  const names = yield* filesOf(path)
  const corpus = called(names, "corpus")
  if (corpus === undefined && names.length === 0) {
    return yield* new FileError({ path, place: "", reason: "holds no corpus.jsonl, nor other files of records" })
  }
  return (corpus === undefined ? names : [corpus]).map((name): RecordFile => ({ path: join(path, name) }))
})

/** What BEIR calls the judgements of a split. */
const judgements: Readonly<Record<Split, ReadonlyArray<string>>> = {
  train: ["train.tsv"],
  validation: ["dev.tsv", "validation.tsv"],
  test: ["test.tsv"]
}

const inFolder = Effect.fnUntraced(function*(folder: string, split: Split | undefined, qrels?: string) {
  const queries = called(yield* filesOf(folder), "queries")
  const fail = (reason: string) => Effect.fail(new FileError({ path: folder, place: "", reason }))
  if (queries === undefined) {
    return yield* fail("holds no queries.jsonl; name a file of questions, or a folder of BEIR's")
  }
  const path = join(folder, queries)
  if (qrels !== undefined) return { path, qrels } as QuestionFile
  if (split === undefined) return { path } as QuestionFile
  const wanted = judgements[split].map((name) => join(folder, "qrels", name))
  const found = yield* Effect.filter(wanted, (name) => Effect.map(typeOf(name), (type) => type === "File"))
  return found[0] === undefined
    ? yield* fail(`holds no qrels/${judgements[split][0]}, which the ${split} questions are taken from`)
    : { path, qrels: found[0] } as QuestionFile
})

/**
 * A file; a folder of BEIR's, its `queries.jsonl` or one of its `qrels/*.tsv`, which say the relevant passages of the
 * split's questions. Without a split there are queries alone.
 */
export const questionFile = Effect.fnUntraced(function*(path: string, split: Split | undefined) {
  const type = yield* typeOf(path)
  if (type === "Directory") return yield* inFolder(path, split)
  const folder = dirname(path)
  if (path.endsWith(".tsv")) {
    return yield* inFolder(basename(folder) === "qrels" ? dirname(folder) : folder, split, path)
  }
  const beside = basename(path).replace(readable, "") === "queries" && split !== undefined
    && (yield* typeOf(join(folder, "qrels"))) === "Directory"
  return beside ? yield* inFolder(folder, split) : (yield* named(path)) as QuestionFile
})
