/** Line files that are written incrementally and appear only when complete. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { exists, FileError, located, moveDurably, partialOf, reading, writing } from "./disk.ts"
import { bytesOf, decoded } from "./textFile.ts"

/** A line file being written. */
export interface LineFile {
  /** Appends lines, each terminated by a line feed. */
  readonly add: (lines: ReadonlyArray<string>) => Effect.Effect<void, FileError>
  /** Replaces the file at the path; durable on disk when it returns. */
  readonly finish: Effect.Effect<void, FileError, FileSystem.FileSystem>
}

/** Starts a file; if it is not finished before the scope ends, nothing is left. */
export const make = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const partial = partialOf(path)
  const { add, finish } = yield* writing(partial)
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(partial, { force: true })))
  return {
    add: (lines) => add(new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""))),
    finish: Effect.andThen(finish, moveDurably(partial, path))
  } satisfies LineFile as LineFile
})

/** Bytes read at a time in search of the last line's end. */
const TAIL = 1 << 16

/** Cuts off what follows the last line feed: a line that a killed process left unfinished. */
const mend = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const { into, size } = yield* reading(path)
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - TAIL)
    const at = (yield* into(new Uint8Array(end - from), from)).lastIndexOf(10)
    if (at >= 0 || from === 0) {
      const whole = from + at + 1
      return whole < size ? yield* fs.truncate(path, whole).pipe(located(path)) : undefined
    }
    end = from
  }
}, Effect.scoped)

/** The lines of a file, one at a time. */
export const read = (path: string) => bytesOf(path).pipe(decoded(path), Stream.splitLines)

/**
 * A file that gains lines over several runs: `see` is given the lines that are there, then lines are appended until the
 * scope ends.
 */
export const growing = Effect.fnUntraced(function*(path: string, see: (line: string) => void) {
  const fs = yield* FileSystem.FileSystem
  if (yield* exists(path)) {
    yield* mend(path)
    yield* read(path).pipe(Stream.runForEach((line) => Effect.sync(() => see(line))))
  }
  const file = yield* fs.open(path, { flag: "a" }).pipe(located(path))
  return {
    add: (lines: ReadonlyArray<string>) =>
      file.writeAll(new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""))).pipe(located(path))
  } satisfies Pick<LineFile, "add"> as Pick<LineFile, "add">
})

/** The same with lines of JSON that `decode` accepts; fails at the first that it does not, for this reason. */
export const growingJson = Effect.fnUntraced(function*<A>(
  path: string,
  { decode, reason, see }: {
    readonly decode: (json: unknown) => A
    readonly see: (line: A) => void
    readonly reason: string
  }
) {
  let [line, bad] = [0, 0]
  const file = yield* growing(path, (text) => {
    line++
    try {
      see(decode(JSON.parse(text)))
    } catch {
      bad ||= line
    }
  })
  return bad === 0 ? file : yield* new FileError({ path, place: `line ${bad}`, reason })
})
