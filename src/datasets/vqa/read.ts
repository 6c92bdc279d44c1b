/** Reads data sets of questions about pictures: JSON beside files of pictures, or parquet that has the pictures in it. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { type Fields, present } from "../../domain/records/fields.ts"
import { FileError } from "../../runtime/files/disk.ts"
import { errorOf, valueOf } from "../loading.ts"
import { rowsOf } from "../parquet.ts"
import { embeddedIn, writer } from "../pictures/embedded.ts"
import { found } from "../pictures/found.ts"
import { type Part, partsOf } from "../pictures/parts.ts"
import { type Raw, recordsOf } from "../recordFile.ts"
import { Tally } from "../tally.ts"
import type { Asked } from "./asked.ts"
import { closedOf, neededOf, textOf } from "./fields.ts"
import type { DataSet } from "./import.ts"
import type { Named, Publication } from "./published.ts"

const readPart = (publication: Publication, { path, split }: Part, named: Array<Named>, leftOut: Tally) =>
  Stream.runForEach(recordsOf(path, undefined, () => true), (raw: Raw) =>
    Effect.try({
      try: () => {
        const record = publication.read(present(valueOf(raw)), split)
        if (typeof record === "string") leftOut.add(record)
        else named.push(record)
      },
      catch: (error) => errorOf(raw, error)
    }))

/** A data set of JSON files; `images` is the folder of its pictures, by default one that is usual for it. */
export const readJson = Effect.fnUntraced(function*(path: string, publication: Publication, images?: string) {
  const named: Array<Named> = []
  const leftOut = new Tally()
  for (const part of yield* partsOf(path, [".json", ".jsonl"])) yield* readPart(publication, part, named, leftOut)
  const names = new Set(named.map(({ picture }) => picture))
  const { missing, paths } = yield* found(path, images, publication.folders, names)
  const asked = named.flatMap((own): ReadonlyArray<Asked> => {
    const file = paths.get(own.picture)
    return file === undefined ? [] : [{ ...own, path: file }]
  })
  const lost = named.length - asked.length
  return {
    path,
    asked,
    leftOut: { ...leftOut.counts, ...(lost > 0 ? { missing_pictures: missing.length, of_missing_pictures: lost } : {}) }
  } satisfies DataSet as DataSet
})

const columns: ReadonlySet<string> = new Set([
  "image",
  "question",
  "answer",
  "answer_type",
  "question_type",
  "content_type"
])

/** What a row asks; `undefined` if it has no answer. @throws RecordError */
const rowOf = (fields: Fields) => {
  const answer = textOf(fields, "answer")
  const embedded = embeddedIn(fields)
  const question = neededOf(fields, "question")
  const type = textOf(fields, "question_type", "content_type")
  return answer === "" ? undefined : { embedded, own: { question, answer, type, closed: closedOf(fields), about: "" } }
}

/**
 * A data set of parquet files with columns `image`, `question` and `answer`, each file named by its split; pictures are written to
 * `out`/pictures, each once. A question is named by its split and the number of its row there.
 */
export const readParquet = Effect.fnUntraced(function*(path: string, out: string) {
  const write = yield* writer(join(out, "pictures"))
  const asked: Array<Asked> = []
  const leftOut = new Tally()
  const counts = new Map<string, number>()
  for (const part of yield* partsOf(path, [".parquet"])) {
    const { split } = part
    if (split === undefined) {
      const reason = "is named by no split; call it train.parquet, validation.parquet or test.parquet"
      return yield* new FileError({ path: part.path, place: "", reason })
    }
    let at = 0
    yield* Stream.runForEach(
      rowsOf(part.path, (name) => columns.has(name), true),
      Effect.fnUntraced(function*(value) {
        const raw: Raw = { path: part.path, unit: "row", at: ++at, value }
        const row = yield* Effect.try({ try: () => rowOf(value as Fields), catch: (error) => errorOf(raw, error) })
        const number = (counts.get(split) ?? 0) + 1
        counts.set(split, number)
        if (row === undefined) return leftOut.add("without_answer")
        const { name, path: file } = yield* write(row.embedded)
        asked.push({ ...row.own, id: `${split}/${number}`, split, picture: name, path: file })
      })
    )
  }
  return { path, asked, leftOut: leftOut.counts } satisfies DataSet as DataSet
})

/** Whether a path is of parquet files: one, or a folder with some. */
const isParquet = (path: string) =>
  path.endsWith(".parquet")
    ? Effect.succeed(true)
    : Effect.map(
      Effect.option(partsOf(path, [".parquet"])),
      (parts) => parts._tag === "Some" && parts.value.every((part) => part.path.endsWith(".parquet"))
    )

/** A data set in whichever form it is; one without a publication is parquet. Pictures of parquet files are written beside what is made of it. */
export const readEither = Effect.fnUntraced(
  function*(path: string, publication: Publication | undefined, out: string, images?: string) {
    if (path.endsWith(".pkl")) {
      const reason =
        "is a pickle, which only Python reads; take the parquet files, with columns image, question, answer"
      return yield* new FileError({ path, place: "", reason })
    }
    if (publication === undefined || (yield* isParquet(path))) {
      if (images === undefined) return yield* readParquet(path, out)
      const reason = "has its pictures in it, and --images is for JSON beside files of pictures"
      return yield* new FileError({ path, place: "", reason })
    }
    return yield* readJson(path, publication, images)
  }
)
