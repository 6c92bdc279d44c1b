/** Resolves a path of passages or questions: a file, one dataset of a file, a folder of files, or a BEIR folder. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { basename, dirname, join } from "node:path"
import type { Split } from "../domain/records/Records.ts"
import { FileError, located } from "../runtime/files/disk.ts"

/** A file of records. */
export interface RecordFile {
  readonly path: string
  /** The dataset to read from a JSON object that holds several. */
  readonly dataset?: string
}

/** A file of questions. */
export interface QuestionFile extends RecordFile {
  /** A table of relevance judgements. */
  readonly qrels?: string
}

const readable = /\.(?:jsonl|ndjson|json|parquet)$|\.(?:jsonl|ndjson|json)\.gz$/

const typeOf = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  return (yield* fs.exists(path).pipe(located(path))) ? (yield* fs.stat(path).pipe(located(path))).type : undefined
})

/** A file, optionally with a dataset after "#"; an existing file with "#" in its name is taken literally. */
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

/** The file with this base name, whatever its extension. */
const called = (names: ReadonlyArray<string>, name: string): string | undefined =>
  names.find((other) => other.replace(readable, "") === name)

/** A file; or, for a folder, its `corpus.jsonl` (BEIR), or else all its record files, sorted by name. */
export const corpusFiles = Effect.fnUntraced(function*(path: string) {
  if ((yield* typeOf(path)) !== "Directory") return [yield* named(path)]
  const names = yield* filesOf(path)
  const corpus = called(names, "corpus")
  if (corpus === undefined && names.length === 0) {
    return yield* new FileError({ path, place: "", reason: "holds no corpus.jsonl, nor other files of records" })
  }
  return (corpus === undefined ? names : [corpus]).map((name): RecordFile => ({ path: join(path, name) }))
})

/** BEIR's names for the judgements of a split. */
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
 * A file; or a BEIR folder, its `queries.jsonl` or one of its `qrels/*.tsv`, which list the relevant passages of the
 * split's questions. Without a split only the queries are read.
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
