/** Unnamed files in the temporary folder. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { located } from "./disk.ts"

/** An unnamed file for writing and reading, removed with the scope or the process. Errors name the folder. */
export const unnamed = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "anamnesis-" })
  const file = yield* fs.open(join(folder, "unnamed"), { flag: "wx+" })
  /** On systems that cannot unlink open files, it is removed when the scope ends. */
  yield* Effect.ignore(fs.remove(folder, { recursive: true }))
  return file
}).pipe((made) => Effect.suspend(() => located(tmpdir())(made)))
