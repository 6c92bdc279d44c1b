/** Files of the temporary folder that have no name. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { located } from "./disk.ts"

/** One to write and to read; it goes with the scope, and with the process if that is killed. Errors name the folder. */
export const unnamed = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "anamnesis-" })
  const file = yield* fs.open(join(folder, "unnamed"), { flag: "wx+" })
  /** Some systems keep the name of what is open: it then goes when the scope ends. */
  yield* Effect.ignore(fs.remove(folder, { recursive: true }))
  return file
}).pipe((made) => Effect.suspend(() => located(tmpdir())(made)))
