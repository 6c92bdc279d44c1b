/** Line files that are written incrementally and appear only when complete. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type FileError, moveDurably, partialOf, writing } from "./disk.ts"

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
