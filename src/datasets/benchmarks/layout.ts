/** The files of a retrieval dataset in a folder, as BEIR publishes it or as MTEB's repositories have it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, located, namesIn } from "../../runtime/files/disk.ts"

/** The files of a split. */
export interface Layout {
  readonly corpus: ReadonlyArray<string>
  readonly queries: ReadonlyArray<string>
  readonly qrels: ReadonlyArray<string>
}

/** Names of files of records: JSON, JSON lines, parquet. */
export const record = /\.(?:jsonl|ndjson|json)(?:\.gz)?$|\.parquet$/
const table = /\.tsv$/

/** The split that a file of several is of: `test` for `test-00000-of-00002.parquet`. */
export const stemOf = (name: string): string =>
  name.replace(record, "").replace(table, "").replace(/-\d+-of-\d+$/, "").toLowerCase()

/** Names that a part has, in a repository of one subset or of several. */
const named = (part: string, subset: string | undefined): ReadonlyArray<string> =>
  subset === undefined ? [part] : [`${subset}-${part}`, `${part}-${subset}`, part]

type Take = (names: ReadonlyArray<string>) => ReadonlyArray<string> | string

/** The files of one split among those of a folder; all of them where they are of one. */
const ofSplit = (split: string): Take => (names) => {
  const stems = new Set(names.map(stemOf))
  const own = names.filter((name) => stemOf(name) === split.toLowerCase())
  if (own.length > 0) return own
  return stems.size === 1 ? names : `holds ${[...stems].join(", ")}, and no ${split}`
}

/** The same for judgements, which a split must have of its own; tables come first, as files may be there in both forms. */
const judged = (split: string): Take => (names) => {
  const own = names.filter((name) => stemOf(name) === split.toLowerCase())
  const tables = own.filter((name) => table.test(name))
  if (own.length > 0) return tables.length > 0 ? tables : own
  return `holds ${[...new Set(names.map(stemOf))].join(", ")}, and no ${split}`
}

/** The files of a part: a file of its name, or files of a folder of its name. */
const find = Effect.fnUntraced(
  function*(folder: string, names: ReadonlyArray<string>, kind: RegExp, take: Take, alone: boolean) {
    const fs = yield* FileSystem.FileSystem
    const entries = yield* namesIn(folder)
    const reasons: Array<string> = []
    for (const name of names) {
      const file = alone ? entries.find((entry) => record.test(entry) && entry.replace(record, "") === name) : undefined
      if (file !== undefined) return [join(folder, file)]
      const path = join(folder, name)
      if (!entries.includes(name) || (yield* fs.stat(path).pipe(located(path))).type !== "Directory") continue
      const inside = (yield* namesIn(path)).filter((entry) => kind.test(entry)).toSorted()
      const found = inside.length === 0 ? "holds no files of records" : take(inside)
      if (typeof found !== "string") return found.map((entry) => join(path, entry))
      reasons.push(`${name} ${found}`)
    }
    return reasons.length > 0 ? reasons.join("; ") : undefined
  }
)

/** The files of a split of the dataset in a folder; fails with what is missing. */
export const layoutOf = Effect.fnUntraced(function*(folder: string, split: string, subset: string | undefined) {
  const fail = (reason: string) => new FileError({ path: folder, place: "", reason })
  const each = Effect.fnUntraced(
    function*(what: string, names: ReadonlyArray<string>, kind: RegExp, take: Take, alone: boolean) {
      const found = yield* find(folder, names, kind, take, alone)
      if (typeof found === "object") return found
      return yield* fail(found ?? `holds no ${what}`)
    }
  )
  const qrels = [...named("qrels", subset), "default", "data"]
  return {
    corpus: yield* each("corpus.jsonl, nor a folder corpus", named("corpus", subset), record, ofSplit(split), true),
    queries: yield* each("queries.jsonl, nor a folder queries", named("queries", subset), record, ofSplit(split), true),
    qrels: yield* each(
      `qrels/${split}.tsv, nor other judgements of ${split}`,
      qrels,
      new RegExp(`${record.source}|${table.source}`),
      judged(split),
      false
    )
  } satisfies Layout as Layout
})
