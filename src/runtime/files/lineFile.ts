/** Files of lines that are written as the lines come, and seen when all of them are there. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type FileError, moveDurably, partialOf, writing } from "./disk.ts"

/** A file of lines that is being written. */
export interface LineFile {
  /** Appends lines, each ended by a line feed. */
  readonly add: (lines: ReadonlyArray<string>) => Effect.Effect<void, FileError>
  /** Puts the file in the place of what was at its path; reaches the disk before it returns. */
  readonly finish: Effect.Effect<void, FileError, FileSystem.FileSystem>
}

/** A file to be; where it is not finished before the scope ends, it leaves nothing. */
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
