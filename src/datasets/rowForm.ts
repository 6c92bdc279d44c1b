/** Whether a file has rows for contrastive training: as texts, as ids, or not at all. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { basename, dirname } from "node:path"
import { isPair } from "../domain/records/pairs.ts"
import { isOfIds } from "../domain/records/triples.ts"
import { bytesOf, decoded } from "../runtime/files/textFile.ts"
import { questionFile } from "./datasetFiles.ts"
import { valueOf } from "./loading.ts"
import { type Raw, recordsOf } from "./recordFile.ts"
import { isTable, tableRows } from "./tables.ts"

const all = () => true

/** How a file has its rows: as texts, or as ids of queries and passages; `undefined` if it has questions. */
export type Form = "texts" | "ids" | undefined

/** The form of a table; BEIR's judgements are none. */
const tableForm = Effect.fnUntraced(function*(path: string) {
  if (basename(dirname(path)) === "qrels") return undefined
  const [first] = yield* Stream.runCollect(Stream.take(tableRows(path), 1))
  if (first === undefined) return undefined
  const cells = first.value as ReadonlyArray<string>
  if (cells.some((cell) => /^"?query-id"?$/.test(cell))) return undefined
  return isOfIds(cells) ? "ids" : "texts"
})

/** The beginning of a list whose first element is an id. */
const idFirst = /^\s*\[\s*(?:"(?:[^"\\]|\\.)*"|-?\d+)\s*,/

const readable = (raw: Raw): ReadonlyArray<unknown> => {
  try {
    return [valueOf(raw)]
  } catch {
    return []
  }
}

/** Whether a line is a list that begins with an id. */
const isIdList = (json: string): boolean =>
  idFirst.test(json) && readable({ path: "", unit: "line", at: 0, json }).length > 0

/** The first characters of a text file. */
const headOf = (path: string) =>
  Effect.map(Stream.runCollect(Stream.take(bytesOf(path).pipe(decoded(path)), 1)), ([head = ""]) => head)

/** The form of a file, by its first record that can be read; a BEIR folder has questions. */
export const formOf = Effect.fnUntraced(function*(path: string) {
  if (isTable(path)) return (yield* tableForm(path)) as Form
  const { dataset, path: own, qrels } = yield* questionFile(path, undefined)
  if (qrels !== undefined) return undefined as Form
  const head = own.endsWith(".parquet") ? "" : yield* headOf(own)
  if (idFirst.test(head)) return "ids" as Form
  const records = recordsOf(own, dataset, all).pipe(Stream.map(readable), Stream.flattenIterable)
  /** What is no file of records is refused by the reader that this decides on. */
  const [first] = yield* Effect.orElseSucceed(Stream.runCollect(Stream.take(records, 1)), () => [])
  if (first === undefined) return (head.split("\n").some(isIdList) ? "ids" : undefined) as Form
  return (isPair(first) ? "texts" : undefined) as Form
})
