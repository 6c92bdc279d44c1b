/** Vocabularies of concepts, read line by line into a matcher: the file itself is never in memory. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { basename, dirname, join } from "node:path"
import { type Matcher, matcher } from "../../domain/concepts/matcher.ts"
import { exists, FileError, located } from "../../runtime/files/disk.ts"
import * as LineFile from "../../runtime/files/lineFile.ts"
import { jsonLines, type LineReader, mrconso, mrsty, obo, table, type VocabularyOptions } from "./formats.ts"

/** All names of a vocabulary; of MRCONSO those in English that are not suppressed, of OBO exact synonyms. */
export const usual: VocabularyOptions = {
  languages: ["ENG"],
  sources: [],
  termTypes: [],
  suppressed: false,
  types: [],
  scopes: ["EXACT"]
}

/** Which names count, and how they are compared. */
export interface LoadOptions extends VocabularyOptions {
  /** Words that do not count, and names that are not looked for. */
  readonly stopWords: ReadonlyArray<string>
  readonly exclude: ReadonlyArray<string>
}

/** Passes non-empty lines to `see`, which returns a problem if there is one. */
const eachLine = Effect.fnUntraced(function*(path: string, see: (line: string) => string | undefined) {
  let [at, problem] = [0, undefined as string | undefined]
  yield* LineFile.read(path).pipe(
    Stream.takeWhile(() => problem === undefined),
    Stream.runForEach((line) =>
      Effect.sync(() => {
        at++
        if (line.trim() !== "") problem = see(line)
      })
    )
  )
  if (problem !== undefined) return yield* new FileError({ path, place: `line ${at}`, reason: problem })
})

const CONSO = "MRCONSO"
const STY = "MRSTY"

/** Which concepts are of the types that count, by MRSTY.RRF beside MRCONSO.RRF. */
const typedBy = Effect.fnUntraced(function*(path: string, types: ReadonlyArray<string>) {
  if (types.length === 0) return () => true
  const file = join(dirname(path), basename(path).replace(CONSO, STY))
  if (!(yield* exists(file))) {
    return yield* new FileError({ path: file, place: "", reason: "is not there; semantic types are known by it" })
  }
  const [wanted, found, seen] = [new Set(types), new Set<string>(), new Set<string>()]
  yield* eachLine(file, (line) => {
    const row = mrsty(line)
    if (typeof row === "string") return row
    const [cui, tui, name] = row
    for (const type of [tui, name]) if (wanted.has(type)) seen.add(type)
    if (wanted.has(tui) || wanted.has(name)) found.add(cui)
    return undefined
  })
  const strange = types.find((type) => !seen.has(type))
  if (strange === undefined) return (cui: string) => found.has(cui)
  return yield* new FileError({ path: file, place: "", reason: `no concept has the semantic type "${strange}"` })
})

const readerOf = Effect.fnUntraced(function*(path: string, o: VocabularyOptions) {
  const name = basename(path).replace(/\.gz$/, "")
  if (name.startsWith(CONSO) && name.endsWith(".RRF")) return mrconso(o, yield* typedBy(path, o.types))
  if (name.endsWith(".obo")) return obo(o)
  if (name.endsWith(".tsv")) return table(o)
  if (name.endsWith(".jsonl")) return jsonLines(o)
  const reason = "is no vocabulary: its name ends in .obo, .tsv or .jsonl, or is MRCONSO.RRF; or in .gz after that"
  return yield* new FileError({ path, place: "", reason })
})

const put = (into: Matcher, reader: LineReader) => (line: string): string | undefined => {
  const found = reader.line(line)
  if (typeof found === "string") return found
  for (const { id, names } of found) for (const name of names) into.add(id, name)
  return undefined
}

/** Loads a vocabulary; fails at the first line that is not of its format, and if no name is left. */
export const load = Effect.fn("vocabulary")(function*(path: string, o: LoadOptions) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.stat(path).pipe(located(path))
  const own = matcher({ stopWords: new Set(o.stopWords.map((word) => word.toLowerCase())), exclude: o.exclude })
  const reader = yield* readerOf(path, o)
  yield* eachLine(path, put(own, reader))
  for (const { id, names } of reader.end()) for (const name of names) own.add(id, name)
  if (own.counts().names === 0) return yield* new FileError({ path, place: "", reason: "has no name that counts" })
  return own as Pick<Matcher, "find" | "counts">
})

/** Types of some concepts, by id: those of MRSTY.RRF beside MRCONSO.RRF, or of the vocabulary's lines; none that are not told. */
export const typesOf = Effect.fn("vocabularyTypes")(function*(path: string, ids: ReadonlySet<string>) {
  const types = new Map<string, string>()
  const name = basename(path)
  if (name.startsWith(CONSO)) {
    const file = join(dirname(path), name.replace(CONSO, STY))
    if (!(yield* exists(file))) return types as ReadonlyMap<string, string>
    yield* eachLine(file, (line) => {
      const row = mrsty(line)
      if (typeof row === "string") return row
      const [cui, , type] = row
      if (ids.has(cui) && !types.has(cui)) types.set(cui, type)
      return undefined
    })
    return types as ReadonlyMap<string, string>
  }
  const reader = yield* readerOf(path, usual)
  const keep = (entries: ReturnType<typeof reader.end>) => {
    for (const { id, type } of entries) if (type !== undefined && ids.has(id)) types.set(id, type)
  }
  yield* eachLine(path, (line) => {
    const found = reader.line(line)
    if (typeof found === "string") return found
    keep(found)
    return undefined
  })
  keep(reader.end())
  return types as ReadonlyMap<string, string>
})
