/** Shared values on disk: a file each, a line of JSON that says what it is, and bytes. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { dirname, join } from "node:path"
import { exists, FileError, makeFolder, namesIn, readBytes, replaceShared, sha256 } from "../disk.ts"

const Header = Schema.Struct({
  kind: Schema.String,
  key: Schema.String,
  readings: Schema.Natural,
  /** Seconds that it took to compute it. */
  seconds: Schema.Finite,
  /** Of the bytes after this line. */
  sha256: Schema.String
})
/** What an entry says of itself. */
export type Header = typeof Header.Type
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Header))

/** An entry as read. */
export interface Entry {
  readonly header: Header
  readonly bytes: Uint8Array
}

/** The path of an entry. */
export const pathOf = (folder: string, kind: string, key: string): string => join(folder, kind, key)

const LINE = 0x0a

/** The entry of a key; `undefined` if there is none. Fails if the file is damaged, or of another key. */
export const read = Effect.fnUntraced(function*(folder: string, kind: string, key: string) {
  const path = pathOf(folder, kind, key)
  if (!(yield* exists(path))) return undefined
  const all = yield* readBytes(path)
  const end = all.indexOf(LINE)
  const header = decode(new TextDecoder().decode(all.subarray(0, Math.max(0, end))))
  const bytes = all.subarray(end + 1)
  if (Option.isNone(header) || header.value.key !== key || header.value.kind !== kind) {
    return yield* new FileError({ path, place: "line 1", reason: "does not say that it is what its name says" })
  }
  if (sha256(bytes) !== header.value.sha256) {
    return yield* new FileError({ path, place: "", reason: "its bytes do not have its SHA-256" })
  }
  return { header: header.value, bytes } satisfies Entry as Entry
})

/** Writes an entry; returns its size on disk, in bytes. */
export const write = Effect.fnUntraced(function*(folder: string, header: Omit<Header, "sha256">, bytes: Uint8Array) {
  const path = pathOf(folder, header.kind, header.key)
  yield* makeFolder(dirname(path))
  const line = new TextEncoder().encode(`${JSON.stringify({ ...header, sha256: sha256(bytes) })}\n`)
  const all = new Uint8Array(line.length + bytes.length)
  all.set(line)
  all.set(bytes, line.length)
  yield* replaceShared(path, all)
  return all.length
})

/** Notes that an entry was used now. */
export const touch = Effect.fnUntraced(function*(folder: string, kind: string, key: string, now: number) {
  const fs = yield* FileSystem.FileSystem
  yield* Effect.ignore(fs.utimes(pathOf(folder, kind, key), new Date(now), new Date(now)))
})

/** All entries of some kinds with their sizes and when they were last used, the oldest first. */
const listed = Effect.fnUntraced(function*(folder: string, kinds: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const paths = (yield* Effect.forEach(kinds, (kind) =>
    Effect.map(namesIn(join(folder, kind)), (names) =>
      names.map((name) =>
        join(folder, kind, name)
      )))).flat()
  const found = yield* Effect.forEach(
    paths,
    (path) =>
      Effect.map(Effect.option(fs.stat(path)), (stat) =>
        Option.toArray(stat).map(({ mtime, size }) => ({
          path,
          size: Number(size),
          used: Option.match(mtime, { onNone: () => 0, onSome: (at) => at.getTime() })
        })))
  )
  return found.flat().toSorted((a, b) => a.used - b.used || (a.path < b.path ? -1 : 1))
})

/** Removes the entries that were not used for the longest time, until those left have no more bytes; returns these. */
export const prune = Effect.fnUntraced(function*(folder: string, kinds: ReadonlyArray<string>, most: number) {
  const fs = yield* FileSystem.FileSystem
  const all = yield* listed(folder, kinds)
  let bytes = all.reduce((sum, { size }) => sum + size, 0)
  for (const { path, size } of all) {
    if (bytes <= most) break
    yield* Effect.ignore(fs.remove(path, { force: true }))
    bytes -= size
  }
  return bytes
})
