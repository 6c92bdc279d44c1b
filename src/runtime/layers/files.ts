/** Files: what is wrong with one, reading it, and writing it so that a reader sees all of it or nothing. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { dirname } from "node:path"

/** A file that cannot be read, written or believed. `place` is a line, a tensor or a field, where there is one. */
export class FileError extends Schema.TaggedError<FileError>()("FileError", {
  path: Schema.String,
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}${this.place ? `, ${this.place}` : ""}: ${this.reason}`
  }
}

const explain = (error: PlatformError): string => {
  const { reason } = error
  const code = String((reason.cause as { readonly code?: unknown } | undefined)?.code ?? "")
  if (code === "ENOSPC") return "the disk is full"
  if (reason._tag === "NotFound") return "there is no such file or folder"
  return reason._tag === "PermissionDenied" ? "permission denied" : error.message
}

/** Names the path in whatever the file system complains of. */
export const located =
  (path: string) => <A, R>(effect: Effect.Effect<A, PlatformError, R>): Effect.Effect<A, FileError, R> =>
    Effect.mapError(effect, (error) => new FileError({ path, place: "", reason: explain(error) }))

/** A plain array even where the file system gives a Buffer, whose `slice` would not copy. */
export const readBytes = (path: string): Effect.Effect<Uint8Array, FileError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFile(path)).pipe(
    Effect.map(({ buffer, byteLength, byteOffset }) => new Uint8Array(buffer, byteOffset, byteLength)),
    located(path)
  )

export const readText = (path: string): Effect.Effect<string, FileError, FileSystem.FileSystem> =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(path)).pipe(located(path))

export const readJson = (path: string): Effect.Effect<unknown, FileError, FileSystem.FileSystem> =>
  Effect.flatMap(readText(path), (text) =>
    Effect.try({
      try: () => JSON.parse(text) as unknown,
      catch: (cause) => new FileError({ path, place: "", reason: `not JSON: ${String(cause)}` })
    }))

/** The JSON of a file, as a schema's decoder has it. */
export const decodeFile = <A>(
  path: string,
  decode: (json: unknown) => Effect.Effect<A, { readonly message: string }>
): Effect.Effect<A, FileError, FileSystem.FileSystem> =>
  Effect.flatMap(
    readJson(path),
    (json) => Effect.mapError(decode(json), ({ message }) => new FileError({ path, place: "", reason: message }))
  )

const sync = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.open(path, { flag: "r" })
  yield* file.sync
}, Effect.scoped)

/** Writes and reaches the disk before it returns. */
export const writeDurably = Effect.fnUntraced(
  function*(path: string, bytes: Uint8Array) {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path, { flag: "w" })
    yield* file.writeAll(bytes)
    yield* file.sync
  },
  (effect, path) => located(path)(Effect.scoped(effect))
)

/** Renames in one stroke, and reaches the disk before it returns. */
export const moveDurably = Effect.fnUntraced(
  function*(from: string, to: string) {
    const fs = yield* FileSystem.FileSystem
    yield* fs.rename(from, to)
    yield* sync(dirname(to))
  },
  (effect, _, to) => located(to)(effect)
)

/** The file is replaced as a whole: what was there stays until the new bytes are on the disk. */
export const replace = Effect.fnUntraced(function*(path: string, bytes: Uint8Array) {
  const temporary = `${path}.partial`
  yield* writeDurably(temporary, bytes)
  yield* moveDurably(temporary, path)
})

export const sha256 = (...parts: ReadonlyArray<Uint8Array | string>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest("hex")
}
