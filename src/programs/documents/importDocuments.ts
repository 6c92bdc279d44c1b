/** Program: documents as passages, without those that occur twice. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { basename, extname, resolve, sep } from "node:path"
import { find, type Found, read } from "../../datasets/documents/read.ts"
import { type Chunk, type ChunkOptions, chunksOf } from "../../domain/documents/chunks.ts"
import type { Document } from "../../domain/documents/Document.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { Duplicates } from "../../domain/texts/duplicates.ts"
import { SHINGLE, wordsOf } from "../../domain/texts/overlap.ts"
import { FileError, sha256 } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import * as ModelFolder from "../../runtime/models/folder.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import * as Tokenizer from "../../runtime/tokenizers/tokenizer.ts"

/** What becomes of documents. */
export interface DocumentOptions {
  readonly out: string
  readonly by: ChunkOptions["by"]
  /** Greatest length of a passage, and of what it repeats of the one before, in tokens. */
  readonly size: number
  readonly overlap: number
  /** Model whose tokens are counted; words apart by white space, if omitted. */
  readonly tokenizer: string | undefined
  /** Greatest Jaccard index of the runs of five words of two passages; 1 keeps all but those of the same words. */
  readonly near: number
  /** Whether files that cannot be read are left out. */
  readonly skip: boolean
}

/** What came of it. */
export interface ImportedDocuments {
  readonly documents: number
  readonly passages: number
  /** Passages left out that have the words of an earlier one, or almost. */
  readonly repeated: number
  readonly near_duplicates: number
  /** Documents without any text, by path. */
  readonly empty: ReadonlyArray<string>
  readonly unreadable: ReadonlyArray<string>
  /** Files in folders that are none of documents, by extension. */
  readonly other_files: Readonly<Record<string, number>>
  /** What was left out or changed in reading, by name. */
  readonly counts: Readonly<Record<string, number>>
}

const words = (text: string): number => text.match(/\S+/g)?.length ?? 0

/** Counts tokens of texts. */
const counterOf = Effect.fnUntraced(function*(model: string | undefined) {
  if (model === undefined) return words
  const { given } = yield* ModelFolder.resolve(model)
  const { encode } = yield* Tokenizer.load(given)
  return (text: string) => encode(text).length
})

/** Paths relative to the folder that holds all of the files. */
const namesOf = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const parts = files.map((path) => resolve(path).split(sep))
  const [first = []] = parts
  const shared = first.slice(0, -1).findIndex((part, i) => parts.some((own) => own.length - 1 <= i || own[i] !== part))
  const depth = shared < 0 ? first.length - 1 : shared
  return parts.map((own) => own.slice(depth).join("/"))
}

/** Ids of a document's passages: its name with a hash of the text, so that text added elsewhere in it changes no other id. */
const identified = (name: string, chunks: ReadonlyArray<Chunk>): ReadonlyArray<readonly [id: string, chunk: Chunk]> => {
  const seen = new Map<string, number>()
  return chunks.map((chunk) => {
    const id = `${name}#${sha256(chunk.text).slice(0, 12)}`
    const before = seen.get(id) ?? 0
    seen.set(id, before + 1)
    return [before === 0 ? id : `${id}.${before + 1}`, chunk]
  })
}

const recordOf = (
  id: string,
  source: string,
  { title, unit }: Document,
  { end, headings, number, start, text }: Chunk
) => {
  const named = title || basename(source, extname(source))
  const under = headings[0] === named ? headings.slice(1) : headings
  return { id, title: [named, ...under].join(": "), text, source, [unit]: number, start, end }
}

/** Passages so far: whether one is left out. */
const without = (near: number) => {
  const [seen, alike] = [new Set<string>(), new Duplicates(near, SHINGLE)]
  const counts = { repeated: 0, near_duplicates: 0 }
  const drops = (text: string): boolean => {
    const key = sha256(wordsOf(text).join(" ")).slice(0, 32)
    const again = seen.has(key)
    seen.add(key)
    if (again) counts.repeated++
    else if (near < 1 && alike.seen(text)) counts.near_duplicates++
    else return false
    return true
  }
  return { drops, counts }
}

const tally = (names: ReadonlyArray<string>): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].toSorted().map(([name, own]) => [name, own.length]))

const problemsOf = ({ near, overlap, size }: DocumentOptions, { files }: Found, paths: ReadonlyArray<string>) =>
  [
    size < 1 && `--chunk-size (${size}) has to be at least 1`,
    overlap < 0 && `--chunk-overlap (${overlap}) has to be at least 0`,
    !(near > 0 && near <= 1) && `--near-duplicate (${near}) is a share: above 0, and at most 1`,
    overlap >= Math.max(1, size) && `--chunk-overlap (${overlap}) has to be below --chunk-size (${size})`,
    files.length === 0 && `${paths.join(", ")}: no document in it`
  ].filter((problem) => problem !== false)

/** Writes the passages of documents as JSON lines, a line each, and tells what was left out. */
export const importDocuments = Effect.fn("importDocuments")(
  function*(paths: ReadonlyArray<string>, o: DocumentOptions) {
    const found = yield* find(paths)
    const problems = problemsOf(o, found, paths)
    if (problems.length > 0) return yield* new ConfigError({ source: "documents", problems })
    const [count, reporter, began] = [yield* counterOf(o.tokenizer), yield* Reporter, yield* Clock.currentTimeMillis]
    const [names, { counts: dropped, drops }] = [namesOf(found.files), without(o.near)]
    const [counts, empty, unreadable]: [Record<string, number>, Array<string>, Array<string>] = [{}, [], []]
    const out = yield* LineFile.make(o.out)
    let passages = 0
    for (const [i, path] of found.files.entries()) {
      const document = yield* Effect.catchIf(
        read(path),
        (error): error is FileError => o.skip && error instanceof FileError,
        (error) => {
          unreadable.push(error.message)
          return Effect.undefined
        }
      )
      if (document !== undefined) {
        const chunks = identified(names[i]!, chunksOf(document, { ...o, count }))
        if (chunks.length === 0) empty.push(names[i]!)
        for (const [what, by] of Object.entries(document.counts)) counts[what] = (counts[what] ?? 0) + by
        const kept = chunks.filter(([, { text }]) => !drops(text))
        passages += kept.length
        yield* out.add(kept.map(([id, chunk]) => JSON.stringify(recordOf(id, names[i]!, document, chunk))))
      }
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      yield* reporter.report({
        task: "documents",
        done: i + 1,
        total: found.files.length,
        start: 0,
        seconds,
        unit: "documents",
        each: 1,
        figures: { passages }
      })
    }
    yield* out.finish
    return {
      documents: found.files.length - unreadable.length,
      passages,
      ...dropped,
      empty,
      unreadable,
      other_files: tally(found.others.map((path) => extname(path).toLowerCase() || "without extension")),
      counts
    } satisfies ImportedDocuments as ImportedDocuments
  },
  Effect.scoped
)
