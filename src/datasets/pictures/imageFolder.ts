/** Program: converts folders of pictures, as Hugging Face's ImageFolder has them, to passages and questions about pictures. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { basename, extname, join, relative } from "node:path"
import { FileError, located, makeFolder, namesIn, replace } from "../../runtime/files/disk.ts"
import { csvRecords } from "../benchmarks/csv.ts"
import { valueOf } from "../loading.ts"
import { recordsOf } from "../recordFile.ts"
import { type Split, splits } from "./parts.ts"
import { from, lines } from "./references.ts"

/** What is asked about pictures in folders named by labels. */
export interface FolderOptions {
  readonly question: string
  /** What a picture is, as in "this chest X-ray". */
  readonly picture: string
}

const isPicture = (name: string): boolean => /\.(?:png|jpe?g|webp|gif|tiff?|dcm|dicom)$/i.test(name)

/** Names in a folder, in order, and which of them are folders. */
const listed = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const names = (yield* namesIn(folder)).filter((name) => !name.startsWith(".")).toSorted()
  const types = yield* Effect.forEach(
    names,
    (name) => Effect.map(fs.stat(join(folder, name)).pipe(located(join(folder, name))), ({ type }) => type)
  )
  return names.map((name, i) => ({ name, isFolder: types[i] === "Directory" }))
})

/** The rows of `metadata.jsonl` or `metadata.csv` beside pictures; `undefined` if there is neither. */
const metadataOf = Effect.fnUntraced(function*(folder: string) {
  const names = yield* namesIn(folder)
  if (names.includes("metadata.csv")) return yield* csvRecords(join(folder, "metadata.csv"))
  if (!names.includes("metadata.jsonl")) return undefined
  const path = join(folder, "metadata.jsonl")
  const raws = yield* Stream.runCollect(recordsOf(path, undefined, () => true))
  return yield* Effect.forEach(raws, (raw) =>
    Effect.try({
      try: () => valueOf(raw) as Readonly<Record<string, unknown>>,
      catch: (error) => new FileError({ path, place: `${raw.unit} ${raw.at}`, reason: (error as Error).message })
    }))
})

interface Found {
  readonly passages: Array<object>
  readonly questions: Array<object>
  /** Files that are no pictures, or lie in no label's folder. */
  unused: number
}

const idOf = (path: string): string => path.slice(0, path.length - extname(path).length).replaceAll("\\", "/")

/** Rows of metadata as they are, under our names: with a question they are questions, with a text passages. */
const ofMetadata = Effect.fnUntraced(function*(
  folder: string,
  split: Split,
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
  out: string,
  root: string,
  found: Found
) {
  for (const [i, { caption, file_name: file, text = caption, ...more }] of rows.entries()) {
    const fail = (reason: string) => new FileError({ path: folder, place: `metadata, record ${i + 1}`, reason })
    if (typeof file !== "string" || file === "") return yield* fail("has no file_name")
    const path = join(folder, file)
    const own = { image: from(out, path), ...more }
    if ("question" in more) found.questions.push({ id: idOf(relative(root, path)), split, ...own })
    else if (typeof text === "string") found.passages.push({ _id: idOf(relative(root, path)), ...own, text })
    else return yield* fail("has neither a text (or caption) nor a question")
  }
})

/** A picture of a label's folder. */
interface Labelled {
  readonly path: string
  readonly label: string
  readonly split: Split
}

const ofLabels = Effect.fnUntraced(function*(folder: string, split: Split, found: Found) {
  const all: Array<Labelled> = []
  for (const { isFolder, name: label } of yield* listed(folder)) {
    if (!isFolder) {
      found.unused++
      continue
    }
    const names = yield* listed(join(folder, label))
    const pictures = names.filter(({ isFolder, name }) => !isFolder && isPicture(name))
    found.unused += names.length - pictures.length
    all.push(...pictures.map(({ name }): Labelled => ({ path: join(folder, label, name), label, split })))
  }
  return all
})

/** Pictures in labels' folders: each a question with the labels as options; those to train on are captioned passages, too. */
const asRecords = (all: ReadonlyArray<Labelled>, out: string, root: string, o: FolderOptions, found: Found): void => {
  const options = [...new Set(all.map(({ label }) => label))].toSorted()
  for (const { label, path, split } of all) {
    const [id, image] = [idOf(relative(root, path)), from(out, path)]
    found.questions.push({ id, split, image, question: o.question, options, answer: label, group: id })
    if (split === "train") {
      found.passages.push({ _id: id, image, text: `This ${o.picture} shows: ${label}.`, group: id })
    }
  }
}

/**
 * Writes `passages.jsonl` and `questions.jsonl` to `out`, and reports counts. `root` has folders of splits or is itself the
 * training set; in each of them are folders named by labels, or pictures with `metadata.jsonl` or `metadata.csv`.
 */
export const importFolder = Effect.fn("importImageFolder")(
  function*(root: string, out: string, options: FolderOptions) {
    const found: Found = { passages: [], questions: [], unused: 0 }
    const inside = (yield* listed(root)).filter(({ isFolder, name }) =>
      isFolder && Object.hasOwn(splits, name.toLowerCase())
    )
    const parts = inside.length === 0
      ? [[root, "train"] as const]
      : inside.map(({ name }) => [join(root, name), splits[name.toLowerCase()]!] as const)
    const labelled: Array<Labelled> = []
    for (const [folder, split] of parts) {
      const rows = yield* metadataOf(folder)
      if (rows) yield* ofMetadata(folder, split, rows, out, root, found)
      else labelled.push(...yield* ofLabels(folder, split, found))
    }
    asRecords(labelled, out, root, options, found)
    if (found.questions.length + found.passages.length === 0) {
      const reason = `holds no pictures in folders of labels, nor metadata.jsonl or metadata.csv (looked into ${
        parts.map(([folder]) => basename(folder)).join(", ")
      })`
      return yield* new FileError({ path: root, place: "", reason })
    }
    yield* makeFolder(out)
    yield* replace(join(out, "passages.jsonl"), lines(found.passages))
    yield* replace(join(out, "questions.jsonl"), lines(found.questions))
    return { passages: found.passages.length, questions: found.questions.length, unused: found.unused }
  }
)
