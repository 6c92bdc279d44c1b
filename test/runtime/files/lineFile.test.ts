/** Files of lines: seen when they are finished, and gone where they are not. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as LineFile from "../../../src/runtime/files/lineFile.ts"
import { folderOf, onDisk } from "../../support/files.ts"

describe("a file of lines", () => {
  it.live("replaces what was there when it is finished, not before", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "a.txt": "old" }), "a.txt")
      yield* Effect.scoped(Effect.gen(function*() {
        const file = yield* LineFile.make(path)
        yield* file.add(["one", "two"])
        yield* file.add([])
        yield* file.add(["drei – vier"])
        assert.strictEqual(readFileSync(path, "utf8"), "old")
        yield* file.finish
      }))
      assert.strictEqual(readFileSync(path, "utf8"), "one\ntwo\ndrei – vier\n")
      assert.isFalse(existsSync(`${path}.partial`))
    })))
  it.live("leaves what was there where it is not finished", () =>
    onDisk(Effect.gen(function*() {
      const path = join(yield* folderOf({ "a.txt": "old" }), "a.txt")
      const failing = Effect.gen(function*() {
        yield* (yield* LineFile.make(path)).add(["new"])
        return yield* Effect.fail("no more")
      })
      assert.strictEqual(yield* Effect.flip(Effect.scoped(failing)), "no more")
      assert.strictEqual(readFileSync(path, "utf8"), "old")
      assert.isFalse(existsSync(`${path}.partial`))
    })))
  it.live("does not write through a link that lies in its way", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "mine.txt": "mine" })
      const path = join(folder, "a.txt")
      symlinkSync(join(folder, "mine.txt"), `${path}.partial`)
      writeFileSync(path, "old")
      yield* Effect.scoped(Effect.gen(function*() {
        const file = yield* LineFile.make(path)
        yield* file.add(["new"])
        yield* file.finish
      }))
      assert.deepStrictEqual([readFileSync(path, "utf8"), readFileSync(join(folder, "mine.txt"), "utf8")], [
        "new\n",
        "mine"
      ])
    })))
})
