/** File access: errors, reading, and atomic, durable writing. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { statfs } from "node:fs/promises"
import { dirname } from "node:path"
import { brief, several } from "../../domain/brief.ts"
import { problemsOf } from "../../domain/issues.ts"
import { parse, survey } from "./json/text.ts"

/** A file cannot be read or written, or is invalid. `place` is a line, a tensor or a field, or "". */
export class FileError extends Schema.TaggedError<FileError>()("FileError", {
  path: Schema.String,
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}${this.place ? `, ${this.place}` : ""}: ${this.reason}`
  }
}

/** Operating system error codes, explained for users. */
const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
  ["EROFS", "the file system is read-only"],
  ["ENOENT", "there is no such file or folder"],
  ["ENOTDIR", "is, or lies in, a file where a folder is needed"],
  ["EISDIR", "is a folder where a file is needed"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EIO", "the disk reports an input/output error"],
  ["EMFILE", "too many files are open"],
  ["ENFILE", "too many files are open"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ELOOP", "its links lead in a circle"],
  ["EFBIG", "the file system allows no file of this size"],
  ["EXDEV", "lies on another file system"]
])

const codeOf = ({ reason }: PlatformError): string =>
  String((reason.cause as { readonly code?: unknown } | undefined)?.code ?? "")

const explain = (error: PlatformError): string => {
  const known = reasons.get(codeOf(error))
  if (known !== undefined) return known
  if (error.reason._tag === "NotFound") return reasons.get("ENOENT")!
  return error.reason._tag === "PermissionDenied" ? reasons.get("EACCES")! : error.message
}

/** Adds the path to file system errors. */
export const located =
  (path: string) => <A, R>(effect: Effect.Effect<A, PlatformError, R>): Effect.Effect<A, FileError, R> =>
    Effect.mapError(effect, (error) => new FileError({ path, place: "", reason: explain(error) }))

/** Maximum bytes per read or write call. */
const MOST = 2 ** 30

/** A file open for random access. */
export interface Reading {
  readonly path: string
  readonly size: number
  /** Fills the array from offset `from`. If the file ends early, the error names `place`. */
  readonly into: <A extends Uint8Array>(bytes: A, from: number, place?: string) => Effect.Effect<A, FileError>
}

/** Reads an open file, regardless of what its path refers to by now. */
export const readingOf = (path: string, file: FileSystem.File): Reading["into"] =>
  Effect.fnUntraced(function*(bytes, from, place = "") {
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.subarray(at, at + MOST)
      const got = yield* file.read(rest, { position: BigInt(from + at) }).pipe(located(path))
      if (got === 0) return yield* new FileError({ path, place, reason: "the file is truncated" })
      at += got
    }
    return bytes
  })

/** How a Git LFS pointer starts, which stands for a large file where a repository was cloned without Git LFS. */
const POINTER = "version https://git-lfs"

const isPointer = (bytes: Uint8Array): boolean =>
  [...POINTER].every((character, i) => bytes[i] === character.charCodeAt(0))

const pointerError = (path: string): FileError =>
  new FileError({ path, place: "", reason: "is a Git LFS pointer, not the file itself: fetch it by `git lfs pull`" })

/** Open until the scope ends. Refuses a Git LFS pointer. */
export const reading = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const { type } = yield* fs.stat(path).pipe(located(path))
  if (type === "Directory") return yield* new FileError({ path, place: "", reason: reasons.get("EISDIR")! })
  const file = yield* fs.open(path, { flag: "r" }).pipe(located(path))
  const size = Number((yield* file.stat.pipe(located(path))).size)
  const into = readingOf(path, file)
  if (isPointer(yield* into(new Uint8Array(Math.min(size, POINTER.length)), 0))) return yield* pointerError(path)
  return { path, size, into } satisfies Reading as Reading
})

/** All bytes of a file; fails if there are more than `most`. */
export const readBytes = Effect.fnUntraced(function*(path: string, most: number = 2 ** 31 - 1) {
  const fs = yield* FileSystem.FileSystem
  const { size, type } = yield* fs.stat(path).pipe(located(path))
  const fail = (reason: string) => new FileError({ path, place: "", reason })
  if (type === "Directory") return yield* fail(reasons.get("EISDIR")!)
  if (Number(size) > most) return yield* fail(`its ${size} bytes are more than the ${most} that are read at once`)
  /** A plain array even if the file system returns a Buffer, whose `slice` does not copy. */
  const { buffer, byteLength, byteOffset } = yield* fs.readFile(path).pipe(located(path))
  return new Uint8Array(buffer, byteOffset, byteLength)
})

/** Maximum bytes of a text read at once, far above any config, template or tokenizer. */
const LONGEST_TEXT = 2 ** 28

/** Reads a UTF-8 file without its byte order mark; fails on invalid UTF-8, and on a Git LFS pointer. */
export const readText = Effect.fnUntraced(function*(path: string) {
  const bytes = yield* readBytes(path, LONGEST_TEXT)
  if (isPointer(bytes)) return yield* pointerError(path)
  return yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new FileError({ path, place: "", reason: "is not UTF-8" })
  })
})

/** Maximum nesting of a JSON file, as JSON parsers and writers are recursive. */
const DEEPEST = 128

/** The JSON that a file holds; refuses duplicate keys, for which parsers disagree on the value. */
export const jsonOf = Effect.fnUntraced(function*(path: string, text: string) {
  const fail = (reason: string, place = "") => new FileError({ path, place, reason })
  const surveyed = survey(text)
  const { depth, repeated } = surveyed
  if (depth > DEEPEST) return yield* fail(`is nested deeper than ${DEEPEST} levels`)
  const json = yield* Effect.try({
    try: () => parse(text, surveyed),
    catch: (cause) => fail(`not JSON: ${(cause as Error).message}`)
  })
  return repeated === undefined ? json : yield* fail("is given twice", brief(repeated.key))
})

/** Reads JSON; refuses duplicate keys. */
export const readJson = (path: string): Effect.Effect<unknown, FileError, FileSystem.FileSystem> =>
  Effect.flatMap(readText(path), (text) => jsonOf(path, text))

/** A schema error in one line, with the fields concerned. */
const reasonOf = (error: { readonly message: string }): string =>
  Schema.isSchemaError(error) ? several(problemsOf(error)).join("; ") : error.message

/** Decodes the JSON of a file; a decoder's error becomes one of the file. */
export const decoding =
  <A>(path: string, decode: (json: unknown) => Effect.Effect<A, { readonly message: string }>) =>
  (json: unknown): Effect.Effect<A, FileError> =>
    Effect.mapError(decode(json), (error) => new FileError({ path, place: "", reason: reasonOf(error) }))

/** Reads JSON and decodes it with a schema. */
export const decodeFile = <A>(
  path: string,
  decode: (json: unknown) => Effect.Effect<A, { readonly message: string }>
): Effect.Effect<A, FileError, FileSystem.FileSystem> => Effect.flatMap(readJson(path), decoding(path, decode))

/** Creates a folder in one that exists, unless it exists. */
const makeIn = (path: string) =>
  FileSystem.FileSystem.use((fs) =>
    Effect.catchIf(
      fs.makeDirectory(path),
      ({ reason }) => reason._tag === "AlreadyExists",
      () => Effect.flatMap(fs.stat(path), ({ type }) => Effect.succeed(type === "Directory"))
    )
  ).pipe(
    located(path),
    Effect.filterOrFail(
      (is) => is !== false,
      () => new FileError({ path, place: "", reason: reasons.get("ENOTDIR")! })
    ),
    Effect.asVoid
  )

/**
 * Creates a folder and its missing parents. One at a time: with a recursive mkdir on a read-only file system, Node
 * reports ENOENT. Fails where the working directory itself is gone.
 */
export const makeFolder = (path: string): Effect.Effect<void, FileError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const parent = dirname(path)
    if (parent !== path && !(yield* exists(parent))) yield* makeFolder(parent)
    yield* makeIn(path)
  })

/** The names in a folder; none if there is no folder. */
export const namesIn = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(folder).pipe(located(folder)))) return []
  return yield* fs.readDirectory(folder).pipe(located(folder))
})

/** Whether a path exists. */
export const exists = (path: string): Effect.Effect<boolean, FileError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.exists(path)).pipe(located(path))

/** Whether the folder has an entry of this name, even a dangling link. */
export const isNamed = Effect.fnUntraced(function*(folder: string, name: string) {
  return (yield* namesIn(folder)).includes(name)
})

/** Free bytes for writing in a folder; infinite if unknown. */
export const spaceIn = (folder: string): Effect.Effect<number> =>
  Effect.promise(() => statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => Infinity))

/** SHA-256 of the concatenated parts. */
export const sha256 = (...parts: ReadonlyArray<Uint8Array | string>): string => sha256Of(parts)

/** SHA-256 of the concatenated parts, in hexadecimal; texts are hashed as UTF-8. */
export const sha256Of = (parts: Iterable<Uint8Array | string>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}

/** SHA-256 of an open file of any size. */
export const hashOf = Effect.fnUntraced(function*({ into, size }: Reading) {
  const [hash, buffer] = [createHash("sha256"), new Uint8Array(Math.min(size, 2 ** 22))]
  for (let at = 0; at < size; at += buffer.length) {
    hash.update(yield* into(buffer.subarray(0, Math.min(buffer.length, size - at)), at))
  }
  return hash.digest("hex")
})

/** SHA-256 of a file of any size. */
export const hashFile = (path: string) => Effect.scoped(Effect.flatMap(reading(path), hashOf))

/** A file being written. */
export interface Writing {
  readonly add: (bytes: Uint8Array) => Effect.Effect<void, FileError>
  /** Flushes to disk; returns the SHA-256 of all bytes added. */
  readonly finish: Effect.Effect<string, FileError>
}

/** Creates a file, open until the scope ends; an existing entry is removed first, so that no link is followed. */
export const writing = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(path, { force: true }).pipe(located(path))
  const file = yield* fs.open(path, { flag: "wx" }).pipe(located(path))
  const hash = createHash("sha256")
  return {
    add: Effect.fnUntraced(function*(bytes) {
      for (let at = 0; at < bytes.length; at += MOST) {
        const piece = bytes.subarray(at, at + MOST)
        hash.update(piece)
        yield* file.writeAll(piece).pipe(located(path))
      }
    }),
    finish: Effect.map(file.sync.pipe(located(path)), () => hash.digest("hex"))
  } satisfies Writing as Writing
})

/** Writes a file and flushes it to disk; returns the SHA-256 of the bytes. */
export const writeDurably = Effect.fnUntraced(function*(path: string, bytes: Uint8Array) {
  const { add, finish } = yield* writing(path)
  yield* add(bytes)
  return yield* finish
}, Effect.scoped)

const sync = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.open(path, { flag: "r" })
  yield* file.sync
}, Effect.scoped)

/** Renames atomically; durable on disk when it returns. */
export const moveDurably = Effect.fnUntraced(
  function*(from: string, to: string) {
    const fs = yield* FileSystem.FileSystem
    yield* fs.rename(from, to)
    yield* sync(dirname(to))
  },
  (effect, _, to) => located(to)(effect)
)

/** Name of a file until it is complete. */
export const partialOf = (path: string): string => `${path}.partial`

const replaceBy = Effect.fnUntraced(function*(path: string, bytes: Uint8Array, partial: string) {
  const fs = yield* FileSystem.FileSystem
  yield* Effect.tapError(writeDurably(partial, bytes), () => Effect.ignore(fs.remove(partial, { force: true })))
  yield* moveDurably(partial, path)
})

/** Replaces a file atomically: the old file stays until the new bytes are on disk. */
export const replace = (path: string, bytes: Uint8Array) => replaceBy(path, bytes, partialOf(path))

/** The same for a file that several processes may replace at once: each has a temporary file of its own. */
export const replaceShared = (path: string, bytes: Uint8Array) =>
  replaceBy(path, bytes, partialOf(`${path}.${process.pid}`))
