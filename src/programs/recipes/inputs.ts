/** What a step's command line reads: files and folders that its words name, and those that its files of settings name. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join, resolve } from "node:path"
import { decodeFile, exists, hashFile, located, replace, sha256Of } from "../../runtime/files/disk.ts"
import { readObject } from "../../runtime/files/settings.ts"
import { json } from "../run.ts"

/** Folders that are nobody's data. */
const skipped: ReadonlySet<string> = new Set([".git", "node_modules"])

/** Hashes of files, by path, with the size and time at which they were taken. */
const Hashes = Schema.Record(
  Schema.String,
  Schema.Struct({ size: Schema.Finite, time: Schema.Finite, sha256: Schema.String })
)

/** The hashes that a file keeps; none if it is damaged, since they can be taken again. */
const kept = Effect.fnUntraced(function*(path: string) {
  if (!(yield* exists(path))) return {}
  return yield* decodeFile(path, Schema.decodeUnknownEffect(Hashes)).pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning(`${error.message}: all inputs are hashed again`), {}))
  )
})

/** The texts of a word that may be paths: itself, and what follows a "="; without a "#part" of a file. */
const within = (word: string): ReadonlyArray<string> =>
  [word, ...word.includes("=") ? [word.slice(word.lastIndexOf("=") + 1)] : []].map((text) => text.split("#")[0]!)

/** All strings of a file's content. */
const stringsOf = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : []
}

const isSettings = (path: string): boolean => /\.(?:ya?ml|json)$/.test(path)

/**
 * Hashes what words name, remembering the hashes of files in a file at `path` until their size or time changes. Words
 * that name nothing on disk are no inputs, nor is anything within `folder`.
 */
export const hashing = Effect.fnUntraced(function*(path: string, folder: string) {
  const fs = yield* FileSystem.FileSystem
  const known = new Map(Object.entries<typeof Hashes.Type[string]>(yield* kept(path)))
  const own = `${resolve(folder)}/`

  const ofFile = Effect.fnUntraced(function*(file: string, { mtime, size }: FileSystem.File.Info) {
    const time = mtime._tag === "Some" ? mtime.value.getTime() : 0
    const before = known.get(file)
    if (before !== undefined && before.size === Number(size) && before.time === time) return before.sha256
    const sha256 = yield* hashFile(file)
    known.set(file, { size: Number(size), time, sha256 })
    return sha256
  })

  /** A folder's hash covers the names and contents of all its files. */
  const ofPath: (at: string) => Effect.Effect<string, Effect.Error<ReturnType<typeof ofFile>>, FileSystem.FileSystem> =
    Effect.fnUntraced(function*(at: string) {
      const info = yield* fs.stat(at).pipe(located(at))
      if (info.type !== "Directory") return yield* ofFile(at, info)
      const names = (yield* fs.readDirectory(at).pipe(located(at))).filter((name) => !skipped.has(name)).toSorted()
      const parts = yield* Effect.forEach(names, (name) => Effect.map(ofPath(join(at, name)), (hash) => [name, hash]))
      return sha256Of(parts.map((part) => `${JSON.stringify(part)}\n`))
    })

  const existing = (texts: ReadonlyArray<string>) =>
    Effect.filter(
      [...new Set(texts)].filter((text) => text !== "" && !`${resolve(text)}/`.startsWith(own)),
      (text) => fs.exists(text).pipe(Effect.orElseSucceed(() => false))
    )

  /** The inputs of a command line, with their hashes. */
  const inputs = Effect.fnUntraced(function*(words: ReadonlyArray<string>) {
    const direct = yield* existing(words.flatMap(within))
    const files = yield* Effect.filter(
      direct.filter(isSettings),
      (file) => Effect.map(fs.stat(file).pipe(located(file)), ({ type }) => type === "File")
    )
    const named = yield* Effect.forEach(files, (file) => Effect.orElseSucceed(readObject(file), () => ({})))
    const all = [...new Set([...direct, ...yield* existing(named.flatMap(stringsOf).flatMap(within))])].toSorted()
    const hashes = yield* Effect.forEach(all, (one) => Effect.map(ofPath(one), (hash) => [one, hash] as const))
    yield* replace(path, json(Object.fromEntries(known)))
    return Object.fromEntries(hashes)
  })
  return inputs
})
