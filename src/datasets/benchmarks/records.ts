/** The records of a generative task's splits, in files of JSON, JSON lines, parquet or CSV. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { isAbsolute, join } from "node:path"
import type { GenerativeTask } from "../../domain/benchmarks/generativeTask.ts"
import { brief } from "../../domain/brief.ts"
import { exists, FileError, located, namesIn } from "../../runtime/files/disk.ts"
import { errorOf, valueOf } from "../loading.ts"
import { recordsOf } from "../recordFile.ts"
import { csvRecords } from "./csv.ts"
import { record, stemOf } from "./layout.ts"

/** A record as it is in its file. */
export type Document = Readonly<Record<string, unknown>>

type Source = Pick<
  GenerativeTask,
  "dataset_path" | "dataset_name" | "dataset_kwargs" | "dataset_where" | "dataset_join"
>

const table = /\.[ct]sv$/i
const isFile = (name: string): boolean => record.test(name) || table.test(name)

/** The files of a split in a folder: `test.jsonl`, `test-00000-of-00002.parquet`, there or in `data/` or a subset's folder. */
const inFolder = Effect.fnUntraced(function*(folder: string, subset: string | undefined, split: string | undefined) {
  const seen: Array<string> = []
  for (const path of [...(subset === undefined ? [] : [join(folder, subset)]), folder, join(folder, "data")]) {
    if (!(yield* exists(path))) continue
    const names = (yield* namesIn(path)).filter(isFile).toSorted()
    const stems = names.map((name) => stemOf(name.replace(table, "")))
    const own = names.filter((_, i) =>
      split === undefined ? new Set(stems).size === 1 : stems[i] === split.toLowerCase()
    )
    if (own.length > 0) return own.map((name) => join(path, name))
    seen.push(...names)
  }
  const found = seen.length === 0 ? "holds no file of records" : `holds ${seen.join(", ")}`
  const wanted = split === undefined ? "no split is named" : `no file of the split ${split}`
  return yield* new FileError({ path: folder, place: "", reason: `${found}: ${wanted}` })
})

/** The files of a split; whether they have records of this split alone. */
const filesOf = Effect.fnUntraced(function*(task: Source, folder: string, split: string | undefined) {
  const within = (path: string) => isAbsolute(path) ? path : join(folder, path)
  const given = task.dataset_kwargs?.data_files
  if (given !== undefined) {
    if (typeof given === "string" || Array.isArray(given)) return { paths: [given].flat().map(within), alone: false }
    const own = (given as Readonly<Record<string, string | ReadonlyArray<string>>>)[split ?? ""]
    if (own !== undefined) return { paths: [own].flat().map(within), alone: true }
    const reason = `data_files has ${Object.keys(given).join(", ")}, and no ${split ?? "split"}`
    return yield* new FileError({ path: task.dataset_path, place: "dataset_kwargs", reason })
  }
  const path = within(task.dataset_path)
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* fs.stat(path).pipe(located(path))
  if (type !== "Directory") return { paths: [path], alone: false }
  return { paths: yield* inFolder(path, task.dataset_name ?? undefined, split), alone: true }
})

const isObject = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const read = Effect.fnUntraced(function*(path: string) {
  if (table.test(path)) return yield* csvRecords(path)
  const all: Array<Document> = []
  yield* Stream.runForEach(recordsOf(path, undefined, () => true), (raw) =>
    Effect.try({
      try: () => {
        const value = valueOf(raw)
        if (!isObject(value)) throw new Error(`${brief(value)} is no record`)
        all.push(value)
      },
      catch: (cause) => errorOf(raw, cause)
    }))
  return all as ReadonlyArray<Document>
})

/** Whether a record has the values that are asked for. */
const isTaken = (where: Source["dataset_where"]) => {
  const wanted = Object.entries(where ?? {}).map(([name, value]) => [name, new Set<unknown>([value].flat())] as const)
  return (document: Document): boolean => wanted.every(([name, values]) => values.has(document[name]))
}

/** Records with those of another file in them, which all have to be there. */
const joined = Effect.fnUntraced(
  function*(documents: ReadonlyArray<Document>, { dataset_join: other }: Source, within: (path: string) => string) {
    if (other === undefined) return documents
    const { as, left, right } = other
    const path = within(other.path)
    const found = new Map<unknown, Document>()
    for (const one of yield* read(path)) if (!found.has(one[right])) found.set(one[right], one)
    const keyOf = (own: Document): unknown => [own[left]].flat()[0]
    const lost = documents.filter((own) => !found.has(keyOf(own)))
    if (lost.length === 0) return documents.map((own) => ({ ...own, [as]: found.get(keyOf(own))! }))
    const reason = `${lost.length} records have a ${left} that is the ${right} of none (first: ${
      brief(lost[0]![left])
    })`
    return yield* new FileError({ path, place: "", reason })
  }
)

/** The records of a split; those of one file of all splits are told apart by their field `split`, if they have one. */
export const documentsOf = Effect.fnUntraced(function*(task: Source, folder: string, split: string | undefined) {
  const { alone, paths } = yield* filesOf(task, folder, split)
  const all = (yield* Effect.forEach(paths, read)).flat()
  const has = (value: Document) => typeof value["split"] === "string"
  const apart = !alone && split !== undefined && all.some(has)
  const own = apart ? all.filter((value) => value["split"] === split) : all
  const documents = own.filter(isTaken(task.dataset_where))
  if (documents.length > 0) {
    return yield* joined(documents, task, (path) => isAbsolute(path) ? path : join(folder, path))
  }
  const splits = [...new Set(all.filter(has).map((value) => String(value["split"])))]
  const reason = own.length > 0
    ? "no record has the values of dataset_where"
    : all.length === 0
    ? "holds no record"
    : `no record is of the split ${split!}; there are ${splits.join(", ")}`
  return yield* new FileError({ path: paths.join(", "), place: "", reason })
})
