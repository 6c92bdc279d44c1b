/** The cache of huggingface_hub is ours, and ours is its (hub.ts, hub.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { folderOf } from "../support/files.ts"
import * as Hub from "../support/hub.ts"
import { COMMIT, fetched, type Golden, NAME, NEEDED, repo } from "./hub.ts"

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "hub.json"), "utf8")) as Golden
const { ours, theirs } = golden
/** A tag for backup tools, of no concern here. */
const TAG = "CACHEDIR.TAG"
const model = Object.fromEntries(Object.entries(theirs.cache).filter(([path]) => path !== TAG))

const described = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => !one.isDirectory()).map((one) => {
      const path = join(one.parentPath, one.name)
      return [
        relative(folder, path),
        one.isSymbolicLink() ? { link: readlinkSync(path) } : { text: readFileSync(path, "latin1") }
      ]
    }).toSorted(([a], [b]) => a! < b! ? -1 : 1)
  )

describe("the cache of the Hub", () => {
  it.live("is laid out as huggingface_hub does it, byte for byte", () =>
    Effect.gen(function*() {
      const hub = yield* Hub.start({ [NAME]: repo })
      const home = yield* folderOf({})
      yield* fetched({ HF_HOME: home, HF_ENDPOINT: hub.endpoint })
      assert.deepStrictEqual(described(join(home, "hub")), model)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  it("that we filled was used by huggingface_hub without a request", () => {
    assert.deepStrictEqual(ours.cache, model)
    assert.deepStrictEqual([ours.snapshot, ours.repos, ours.refs, ours.warnings], [
      theirs.snapshot,
      [NAME],
      [["main"]],
      []
    ])
    assert.deepStrictEqual(golden.asked, [])
  })
  for (const listed of [true, false]) {
    it.live(`that huggingface_hub filled is used without a request${listed ? "" : ", by a version without lists too"}`, () =>
      Effect.gen(function*() {
        const home = yield* folderOf({})
        for (const [path, own] of Object.entries(theirs.cache)) {
          if (!listed && path.includes("/trees/")) continue
          const at = join(home, "hub", path)
          mkdirSync(dirname(at), { recursive: true })
          if ("link" in own) symlinkSync(own.link, at)
          else writeFileSync(at, own.text, "latin1")
        }
        const name = yield* fetched({ HF_HOME: home, HF_HUB_OFFLINE: "1", HF_ENDPOINT: "http://127.0.0.1:9" })
        assert.strictEqual(name, `${NAME}@${COMMIT}`)
        const snapshot = join(home, "hub", theirs.snapshot)
        for (const file of NEEDED) assert.strictEqual(readFileSync(join(snapshot, file), "utf8"), repo.files[file])
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  }
})
