/** Texts that training has seen, as they are or much alike: they are left out of test sets before anything is measured. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Dataset from "../../datasets/dataset.ts"
import { placeOf, recordsOf } from "../../datasets/recordFile.ts"
import { words } from "../../domain/bm25.ts"
import { cut } from "../../domain/brief.ts"
import { nearDuplicates, type Sighting } from "../../domain/texts/nearDuplicates.ts"
import { FileError, located } from "../../runtime/files/disk.ts"

/** Fields of queries and of their positives in files that retrievers and readers are trained on; negatives are not read. */
const texts =
  "query anchor question QUESTION qtext body pos positive positives positive_passages positive_ctxs text contents content"
    .split(" ")
const named: ReadonlySet<string> = new Set([...texts, "title", "gold"])

type Fields = Readonly<Record<string, unknown>>

/** The texts of a field: a string, an object with a text and perhaps a title, or a list of these. */
const within = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  if (Array.isArray(value)) return value.flatMap(within)
  if (typeof value !== "object" || value === null) return []
  const { text, title } = value as Fields
  return typeof text === "string" ? titled(title, text) : []
}
const titled = (title: unknown, text: string): ReadonlyArray<string> =>
  typeof title === "string" && title.trim() !== "" ? [text, `${title} ${text}`] : [text]

/** The texts of a record. */
const textsOf = (record: Fields): ReadonlyArray<string> =>
  texts.flatMap((name) => within(record[name])).flatMap((text) => titled(record["title"], text))

/** The words of a text, as a short hash; case, punctuation and blanks make no difference. */
const keyOf = (text: string): string | undefined => {
  const own = words(text)
  return own.length === 0 ? undefined : createHash("sha256").update(own.join(" ")).digest("base64").slice(0, 20)
}

/** Texts seen in training. */
export interface Seen {
  /** Where a text was seen: in the same words, or as a near-duplicate of enough likeness. */
  readonly seen: (text: string) => Sighting | undefined
  /** How many there are. */
  readonly size: number
  /** Warnings, one sentence each with the file's path. */
  readonly told: ReadonlyArray<string>
}

/** Characters of a text that an example shows. */
const SHOWN = 100

/** Gathers texts by their hashes, and by their runs of words if near-duplicates of less likeness than 1 are looked for. */
const gathering = (least: number) => {
  const numbers = new Map<string, number>()
  const origins: Array<Pick<Sighting, "seen" | "file">> = []
  const near = nearDuplicates()
  const addFrom = (file: string) => (text: string): void => {
    const key = keyOf(text)
    if (key === undefined || numbers.has(key)) return
    numbers.set(key, numbers.size)
    origins.push({ seen: cut(text.replace(/\s+/g, " ").trim(), SHOWN), file })
    if (least < 1) near.add(text)
  }
  const seen = (text: string): Sighting | undefined => {
    const key = numbers.size === 0 ? undefined : keyOf(text)
    if (key === undefined) return undefined
    const same = numbers.get(key)
    if (same !== undefined) return { likeness: 1, ...origins[same]! }
    const like = least < 1 ? near.find(text, least) : undefined
    return like && { likeness: like.likeness, ...origins[like.at]! }
  }
  return { addFrom, seen, size: () => numbers.size }
}
type Gathering = ReturnType<typeof gathering>

/** The records of a file; fails at one that is not JSON, and if none has a text. */
const ofFile = Effect.fnUntraced(function*(path: string, { addFrom }: Gathering) {
  const add = addFrom(path)
  const fail = (place: string, reason: string) => new FileError({ path, place, reason })
  let [read, mute, byId] = [0, 0, 0]
  yield* Stream.runForEach(recordsOf(path, undefined, (name) => named.has(name)), (raw) =>
    Effect.try({
      try: () => {
        const record = Object(raw.json === undefined ? raw.value : JSON.parse(raw.json)) as Fields
        const own = textsOf(record)
        read++
        if (own.length === 0) mute++
        if (record["gold"] !== undefined && record["pos"] === undefined) byId++
        own.forEach(add)
      },
      catch: () => fail(placeOf(raw), "not JSON")
    }))
  if (mute === read) return yield* fail("", `no record has one of the fields ${texts.join(", ")}`)
  return [
    mute > 0 && `${mute} of ${read} records have no text to look for`,
    byId > 0 && `the gold passages of ${byId} questions are named by their ids alone: their texts are not looked for`
  ].filter((sentence) => sentence !== false)
})

/** The train questions of a BEIR folder, with the texts of their gold passages. */
const ofFolder = Effect.fnUntraced(function*(path: string, { addFrom }: Gathering) {
  const add = addFrom(path)
  const { records } = yield* Dataset.questions(path, { split: "train" })
  const { corpus } = yield* Dataset.corpus(path)
  const rows = [...new Set(records.flatMap(({ gold }) => gold.map(corpus.row)))].filter((row) => row >= 0)
  for (const { question } of records) add(question)
  for (const { text } of yield* corpus.read(rows)) add(text)
  return []
}, Effect.scoped)

/** Least likeness of a near-duplicate, unless users say otherwise. */
export const LIKENESS = 0.8

/**
 * The texts of training files: records with queries, positives or passages, or BEIR folders with train judgements.
 * `likeness` is the least Jaccard index of a near-duplicate; 1 for none.
 */
export const seenIn = Effect.fn("seenIn")(function*(paths: ReadonlyArray<string>, likeness: number = LIKENESS) {
  const fs = yield* FileSystem.FileSystem
  const [gathered, told] = [gathering(likeness), new Array<string>()]
  for (const path of paths) {
    const { type } = yield* fs.stat(path).pipe(located(path))
    const own = yield* type === "Directory" ? ofFolder(path, gathered) : ofFile(path, gathered)
    told.push(...own.map((sentence) => `${path}: ${sentence}`))
  }
  return { seen: gathered.seen, size: gathered.size(), told } satisfies Seen as Seen
})
