/** Program: converts tables of pictures' names and captions, such as ROCO's, to passages. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { basename, extname, join } from "node:path"
import { type Fields, present, RecordError } from "../../domain/records/fields.ts"
import { FileError, makeFolder, replace } from "../../runtime/files/disk.ts"
import { csvRecords } from "../benchmarks/csv.ts"
import { errorOf, valueOf } from "../loading.ts"
import { rowsOf } from "../parquet.ts"
import { type Raw, recordsOf } from "../recordFile.ts"
import { cellsOf, linesOf } from "../tables.ts"
import { Tally } from "../tally.ts"
import { embeddedIn, writer } from "./embedded.ts"
import { found } from "./found.ts"
import { from, lines } from "./references.ts"

/** Columns by what they have, in lower case, the best first. */
const columns = {
  file: ["name", "file_name", "image", "image_path"],
  id: ["id", "image_id"],
  caption: ["caption", "text"]
} as const

/** A picture's name or file, and what it shows. */
interface Captioned {
  readonly id: string
  readonly name: string
  readonly caption: string
}

const valueIn = (fields: Fields, names: ReadonlyArray<string>): string => {
  for (const name of names) {
    const found = Object.keys(fields).find((own) => own.trim().toLowerCase() === name)
    const value = found === undefined ? undefined : fields[found]
    if (typeof value === "string" || typeof value === "number") return String(value).trim()
  }
  return ""
}

const stem = (name: string): string => basename(name, extname(name))

/** What a record says. @throws RecordError if it names no picture */
const captionedIn = (fields: Fields): Captioned => {
  const [file, id] = [valueIn(fields, columns.file), valueIn(fields, columns.id)]
  if (file === "" && id === "") {
    const known = [...columns.file, ...columns.id].join(", ")
    throw new RecordError("", `names no picture (${known}): it has ${Object.keys(fields).join(", ")}`)
  }
  return { id: id || stem(file), name: file || id, caption: valueIn(fields, columns.caption) }
}

/** A line of a name and a caption, with a tab between them. @throws RecordError */
const captionedLine = (raw: Raw): Captioned => {
  const [name = "", ...rest] = cellsOf(raw)
  if (name.trim() === "" || rest.length === 0) {
    throw new RecordError("", "is to be a picture's name, a tab, and a caption")
  }
  return { id: stem(name.trim()), name: name.trim(), caption: rest.join(" ").trim() }
}

const trying = <A>(raw: Raw, read: () => A) => Effect.try({ try: read, catch: (error) => errorOf(raw, error) })

/** The records of a table of any form. */
const captionsOf = Effect.fnUntraced(function*(path: string) {
  if (/\.(?:csv|tsv)$/i.test(path)) {
    return yield* Effect.forEach(
      yield* csvRecords(path),
      (fields, i) => trying({ path, unit: "record", at: i + 1 }, () => captionedIn(fields))
    )
  }
  const [raws, read] = /\.txt$/i.test(path)
    ? [linesOf(path), captionedLine] as const
    : [recordsOf(path, undefined, () => true), (raw: Raw) => captionedIn(present(valueOf(raw)))] as const
  return yield* Stream.runCollect(Stream.mapEffect(raws, (raw) => trying(raw, () => read(raw))))
})

/** Names that a picture's file may have: as it is called, or with an ending. */
const filesOf = (name: string): ReadonlyArray<string> => [
  name,
  ...[".jpg", ".jpeg", ".png", ".JPG", ".tif", ".dcm"].map((ending) => `${name}${ending}`)
]

/** Passages so far, each picture once. */
class Passages {
  readonly records: Array<object> = []
  readonly leftOut = new Tally()
  private readonly ids = new Set<string>()
  private readonly out: string
  constructor(out: string) {
    this.out = out
  }
  add({ caption, id }: Captioned, path: string): void {
    if (this.ids.has(id)) return this.leftOut.add("given_twice")
    this.ids.add(id)
    this.records.push({ _id: id, image: from(this.out, path), text: caption, group: id })
  }
}

const ofFiles = Effect.fnUntraced(function*(path: string, images: string | undefined, passages: Passages) {
  const all = yield* captionsOf(path)
  const captioned = all.filter(({ caption }) => caption !== "")
  const bare = all.length - captioned.length
  if (bare > 0) passages.leftOut.add("without_caption", bare)
  const names = new Set(captioned.map(({ name }) => name))
  const { paths } = yield* found(path, images, ["images", "."], names, filesOf)
  for (const own of captioned) {
    const file = paths.get(own.name)
    if (file === undefined) passages.leftOut.add("missing_pictures")
    else passages.add(own, file)
  }
})

const ofParquet = Effect.fnUntraced(function*(path: string, out: string, passages: Passages) {
  const write = yield* writer(join(out, "pictures"))
  let at = 0
  yield* Stream.runForEach(
    rowsOf(path, (name) => ["image", ...columns.id, ...columns.caption].includes(name.toLowerCase()), true),
    Effect.fnUntraced(function*(value) {
      const fields = value as Fields
      const embedded = yield* trying({ path, unit: "row", at: ++at }, () => embeddedIn(fields))
      const caption = valueIn(fields, columns.caption)
      if (caption === "") return passages.leftOut.add("without_caption")
      const { name, path: file } = yield* write(embedded)
      passages.add({ id: valueIn(fields, columns.id) || stem(name), name, caption }, file)
    })
  )
})

/**
 * Writes `passages.jsonl` to `out`, and reports counts: of a table (`.csv`, `.tsv` with a header; `.txt` of name, tab, caption; JSON), with the
 * pictures in `images`, or in a folder `images` beside it, or beside it; or of parquet with the pictures in it.
 */
export const importFile = Effect.fn("importCaptions")(function*(path: string, out: string, images?: string) {
  const passages = new Passages(out)
  if (path.endsWith(".parquet")) yield* ofParquet(path, out, passages)
  else yield* ofFiles(path, images, passages)
  if (passages.records.length === 0) {
    return yield* new FileError({ path, place: "", reason: "has no caption of a picture" })
  }
  yield* makeFolder(out)
  yield* replace(join(out, "passages.jsonl"), lines(passages.records))
  return { passages: passages.records.length, left_out: passages.leftOut.counts }
})
