/** Text files as streams: read and decompressed in chunks, strict UTF-8. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { isUtf8 } from "node:buffer"
import { createReadStream } from "node:fs"
import { pipeline, Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import { FileError, located } from "./disk.ts"

/** Chunk size in bytes. */
const PIECE = 1 << 18
const NEWLINE = 10

const failing = (path: string) => (error: PlatformError) => Stream.fromEffect(located(path)(Effect.fail(error)))

const fileError = (path: string, place: string, reason: string): FileError => new FileError({ path, place, reason })

const unzipped = (path: string, bytes: Stream.Stream<Uint8Array, FileError>): Stream.Stream<Uint8Array, FileError> =>
  Stream.suspend(() => {
    const unzip = createGunzip({ chunkSize: PIECE })
    let failure: FileError | undefined
    const source = Stream.tapError(bytes, (error) => Effect.sync(() => void (failure = error)))
    /** Errors here also reach the reader of `unzip`. */
    pipeline(Readable.from(Stream.toAsyncIterable(source)), unzip, () => undefined)
    return Stream.fromAsyncIterable(
      unzip as AsyncIterable<Uint8Array>,
      (cause) => failure ?? fileError(path, "", `cannot be decompressed: ${(cause as Error).message}`)
    ).pipe(Stream.ensuring(Effect.sync(() => unzip.destroy())))
  })

/** The bytes of a file or a pipe, decompressed if the name ends in `.gz`. */
export const bytesOf = (path: string): Stream.Stream<Uint8Array, FileError, FileSystem.FileSystem> =>
  Stream.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const { type } = yield* fs.stat(path).pipe(located(path))
    if (type === "Directory") return yield* fileError(path, "", "is a folder")
    const bytes = type === "File"
      ? Stream.catch(fs.stream(path, { chunkSize: PIECE }), failing(path))
      : Stream.fromAsyncIterable<Uint8Array, FileError>(
        createReadStream(path, { highWaterMark: PIECE }),
        (cause) => fileError(path, "", (cause as Error).message)
      )
    return path.endsWith(".gz") ? unzipped(path, bytes) : bytes
  }))

/** Number of trailing bytes that belong to an incomplete character. */
const unfinished = (bytes: Uint8Array): number => {
  for (let n = 1; n <= Math.min(3, bytes.length); n++) {
    const byte = bytes[bytes.length - n]!
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return n < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? n : 0
  }
  return 0
}

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const newlines = (bytes: Uint8Array): number => {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

/** The first line that is not valid UTF-8, from 0. */
const badLine = (bytes: Uint8Array): number => {
  let [line, start] = [0, 0]
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    if (!isUtf8(bytes.subarray(start, end))) return line
    line++
    start = end + 1
  }
  return line
}

/** Another format the file may have, judging by its first bytes. */
const guess = ([first, second]: Uint8Array): string => {
  if (first === 0x1f && second === 0x8b) return "; it may be gzip, which is known by a name that ends in .gz"
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) ? "; it may be UTF-16" : ""
}

/**
 * Decodes bytes to text in chunks of whole characters, dropping a byte order mark. Fails on bytes that are not UTF-8,
 * giving the line.
 */
export const decoded = (path: string) => <R>(bytes: Stream.Stream<Uint8Array, FileError, R>) =>
  Stream.suspend(() => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
    let [rest, line, begun] = [new Uint8Array(0) as Uint8Array, 1, false]
    const decode = (piece: Uint8Array, last: boolean): Effect.Effect<ReadonlyArray<string>, FileError> => {
      const joined = join(rest, piece)
      const whole = joined.subarray(0, joined.length - (last ? 0 : unfinished(joined)))
      if (!isUtf8(whole)) {
        return Effect.fail(fileError(path, `line ${line + badLine(whole)}`, `not UTF-8${begun ? "" : guess(joined)}`))
      }
      rest = joined.slice(whole.length)
      line += newlines(whole)
      const text = decoder.decode(whole)
      const own = begun || text[0] !== "\uFEFF" ? text : text.slice(1)
      begun ||= text !== ""
      return Effect.succeed(own === "" ? [] : [own])
    }
    return bytes.pipe(
      Stream.mapEffect((piece) => decode(piece, false)),
      Stream.concat(Stream.fromEffect(Effect.suspend(() => decode(new Uint8Array(0), true)))),
      Stream.flattenIterable
    )
  })
