/** Files of lines that are written as the lines come, and seen when all of them are there. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type FileError, located, moveDurably } from "./files.ts"

export interface LineFile {
  /** Appends lines, each ended by a line feed. */
  readonly add: (lines: ReadonlyArray<string>) => Effect.Effect<void, FileError>
  /** Puts the file in the place of what was at its path; reaches the disk before it returns. */
  readonly finish: Effect.Effect<void, FileError, FileSystem.FileSystem>
}

/** A file to be; where it is not finished before the scope ends, it leaves nothing. */
export const make = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const partial = `${path}.partial`
  const remove = fs.remove(partial, { force: true }).pipe(located(partial))
  yield* remove
  const file = yield* fs.open(partial, { flag: "wx" }).pipe(located(partial))
  yield* Effect.addFinalizer(() => Effect.ignore(remove))
  return {
    add: (lines) =>
      file.writeAll(new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""))).pipe(located(partial)),
    finish: Effect.andThen(file.sync.pipe(located(partial)), moveDurably(partial, path))
  } satisfies LineFile as LineFile
})
