/** Folders for tests, on the real file system and gone with the scope. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { join } from "node:path"

/** A folder that holds the given files; those that are undefined it lacks. */
export const folderOf = Effect.fnUntraced(function*(files: Readonly<Record<string, string | Uint8Array | undefined>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "files-" }))
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) continue
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    yield* Effect.orDie(fs.writeFile(join(folder, name), bytes))
  }
  return folder
})

/** With the real file system, and without a word. */
export const onDisk = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>): Effect.Effect<A, E> =>
  effect.pipe(
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
