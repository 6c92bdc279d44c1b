/** Folders are made with their parents, or it is said why not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as PlatformError from "effect/PlatformError"
import { mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeFolder } from "../../../src/runtime/files/disk.ts"
import { folderOf, onDisk } from "../../support/files.ts"

describe("a folder", () => {
  it.effect("is made with its parents, once", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      for (let i = 0; i < 2; i++) yield* makeFolder(join(folder, "a/b/c"))
      assert.isTrue(statSync(join(folder, "a/b/c")).isDirectory())
    })))

  it.effect("is refused in, or in place of, a file", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      mkdirSync(join(folder, "a"))
      writeFileSync(join(folder, "a/file"), "")
      for (const path of ["a/file", "a/file/b", "a/file/b/c"]) {
        const error = yield* Effect.flip(makeFolder(join(folder, path)))
        assert.match(error.message, /a\/file(\/b)?: is, or lies in, a file where a folder is needed$/)
      }
    })))

  it.effect("is not tried for ever where the working directory is gone", () => {
    const gone = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "makeDirectory" })
    const files = FileSystem.layerNoop({
      exists: (path) => Effect.succeed(path === "."),
      makeDirectory: () => Effect.fail(gone)
    })
    return Effect.flip(makeFolder("a/b")).pipe(
      Effect.map(({ message }) => assert.strictEqual(message, "a: there is no such file or folder")),
      Effect.provide(files)
    )
  })
})
