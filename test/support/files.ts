/** Folders for tests, on the real file system and gone with the scope. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { readJson } from "../../src/runtime/files/disk.ts"

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

/** A folder that holds the given files, in folders of their own. */
export const treeOf = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>) {
  const root = yield* folderOf({})
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
})

/** A copy of a folder with changes to its JSON files, by their keys; null removes a file. */
export const changed = Effect.fnUntraced(function*(from: string, changes: Readonly<Record<string, object | null>>) {
  const fs = yield* FileSystem.FileSystem
  const folder = join(yield* fs.makeTempDirectoryScoped({ prefix: "changed-" }), basename(from))
  yield* fs.copy(from, folder)
  for (const [file, change] of Object.entries(changes)) {
    const path = join(folder, file)
    if (change === null) yield* fs.remove(path)
    else yield* fs.writeFileString(path, JSON.stringify({ ...(yield* readJson(path)) as object, ...change }))
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
