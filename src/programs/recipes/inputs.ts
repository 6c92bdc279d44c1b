/** What a step's command line reads: files and folders that its words name, and those that its files of settings name. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join, resolve } from "node:path"
import { decodeFile, exists, hashFile, located, replace, sha256Of } from "../../runtime/files/disk.ts"
import { placed } from "../../runtime/files/hub/local.ts"
import { idOf } from "../../runtime/files/hub/models.ts"
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

/** Where inputs are looked for. */
export interface Places {
  /** The file that keeps the hashes of files until their size or time changes. */
  readonly hashes: string
  /** Nothing in this folder is an input. */
  readonly folder: string
  /** The folder of models that are named by their ids at the Hub. */
  readonly models: string | undefined
}

/** The models that texts name by ids and that a folder has: their paths by id. */
const modelsIn = Effect.fnUntraced(function*(folder: string | undefined, texts: ReadonlyArray<string>) {
  if (folder === undefined) return []
  const each = [...new Set(texts.flatMap((text) => [text, ...text.split("+")]))]
  const found = yield* Effect.forEach(
    each,
    Effect.fnUntraced(function*(text) {
      if ((yield* idOf(text)) === undefined) return []
      const path = yield* Effect.orElseSucceed(placed(folder, text.split("@")[0]!), () => undefined)
      return path === undefined ? [] : [[text, path] as const]
    })
  )
  return found.flat()
})

/** Hashes what words name: files and folders, and models by their ids. Words that name nothing on disk are no inputs. */
export const hashing = Effect.fnUntraced(function*({ folder, hashes: path, models }: Places) {
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
    const texts = named.flatMap(stringsOf).flatMap(within)
    const paths = [...new Set([...direct, ...yield* existing(texts)])].map((one) => [one, one] as const)
    const own = yield* modelsIn(models, [...words.flatMap(within), ...texts])
    const all = [...paths, ...own].toSorted(([a], [b]) => a < b ? -1 : 1)
    const hashes = yield* Effect.forEach(all, ([name, at]) => Effect.map(ofPath(at), (hash) => [name, hash] as const))
    yield* replace(path, json(Object.fromEntries(known)))
    return Object.fromEntries(hashes)
  })
  return inputs
})
