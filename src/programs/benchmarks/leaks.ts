/** Texts that training has seen: they are left out of test sets before anything is measured. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Dataset from "../../datasets/dataset.ts"
import { placeOf, recordsOf } from "../../datasets/recordFile.ts"
import { words } from "../../domain/bm25.ts"
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
  /** Whether a text is one of them. */
  readonly seen: (text: string) => boolean
  /** How many there are. */
  readonly size: number
  /** Warnings, one sentence each with the file's path. */
  readonly told: ReadonlyArray<string>
}

/** Gathers texts by their hashes. */
const gathering = () => {
  const keys = new Set<string>()
  const add = (text: string): void => {
    const key = keyOf(text)
    if (key !== undefined) keys.add(key)
  }
  const seen = (text: string): boolean => {
    const key = keys.size === 0 ? undefined : keyOf(text)
    return key !== undefined && keys.has(key)
  }
  return { add, seen, size: () => keys.size }
}
type Gathering = ReturnType<typeof gathering>

/** The records of a file; fails at one that is not JSON, and if none has a text. */
const ofFile = Effect.fnUntraced(function*(path: string, { add }: Gathering) {
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
const ofFolder = Effect.fnUntraced(function*(path: string, { add }: Gathering) {
  const { records } = yield* Dataset.questions(path, { split: "train" })
  const { corpus } = yield* Dataset.corpus(path)
  const rows = [...new Set(records.flatMap(({ gold }) => gold.map(corpus.row)))].filter((row) => row >= 0)
  for (const { question } of records) add(question)
  for (const { text } of yield* corpus.read(rows)) add(text)
  return []
}, Effect.scoped)

/** The texts of training files: records with queries, positives or passages, or BEIR folders with train judgements. */
export const seenIn = Effect.fn("seenIn")(function*(paths: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const [gathered, told] = [gathering(), new Array<string>()]
  for (const path of paths) {
    const { type } = yield* fs.stat(path).pipe(located(path))
    const own = yield* type === "Directory" ? ofFolder(path, gathered) : ofFile(path, gathered)
    told.push(...own.map((sentence) => `${path}: ${sentence}`))
  }
  return { seen: gathered.seen, size: gathered.size(), told } satisfies Seen as Seen
})
