/** Indexes of a run's own: in memory, in a file without a name, and what happens where the disk has no room. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { watched } from "../../../src/programs/buildIndex.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { PassageIndex } from "../../../src/runtime/ports/PassageIndex.ts"
import * as Exact from "../../../src/runtime/retrieval/indexes/exact.ts"
import * as Stored from "../../../src/runtime/retrieval/indexes/stored.ts"
import * as Temporary from "../../../src/runtime/retrieval/indexes/temporary.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import { suite } from "../ports/passageIndex.suite.ts"

const session = Layer.provide(cpu({ threads: 1 }))

suite("in memory", () => session(Exact.layer))
for (const [what, memory] of [["on the disk", 0], ["that is on the disk where it is large", 300]] as const) {
  suite(`of a run's own, ${what}`, () => session(Temporary.layer({ memory })))
}
suite("of a run that begins with a stored one", (folder) => session(Stored.from(folder, { memory: 0 })))
suite(
  "that is told of as it is built",
  () => watched(() => Effect.void, () => Effect.void).pipe(Layer.provide(session(Exact.layer)))
)

const [DIM, LENGTH, ROWS] = [4, 3, 2]
const chunks = Array.from({ length: 5 }, (_, i) => ({
  docs: Int32Array.of(2 * i, 2 * i + 1),
  rows: ROWS,
  length: LENGTH
}))
const vectors = chunks.map((_, i) => Float32Array.from({ length: ROWS * LENGTH * DIM }, (_, at) => Math.cos(i + at)))
const corpus = { dim: DIM, chunks, vectors: Stream.fromIterable(vectors) }
const asked = { count: 1, length: LENGTH, vectors: vectors[0]!.subarray(0, LENGTH * DIM) }
const origin = { corpus: "corpus", weights: () => "weights" }
const building = Effect.flatMap(PassageIndex, ({ build }) => build(1, origin, corpus)).pipe(
  Effect.flatMap((index) => index.search(asked, 10))
)
const over = (memory: number) => session(Temporary.layer({ memory }))

/** With another temporary folder. */
const within = (directory: string) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => ({
      ...fs,
      makeTempDirectoryScoped: ((options) =>
        fs.makeTempDirectoryScoped({ ...options, directory })) as typeof fs.makeTempDirectoryScoped
    }))
  )

/** Files of a folder that this process has open and that have no name. */
const unnamed = (folder: string) =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const path = readlinkSync(join("/proc/self/fd", fd))
      return path.startsWith(folder) && path.endsWith("(deleted)")
    } catch {
      return false
    }
  }).length

describe("an index that memory has no room for", () => {
  it.live("is searched as one that it has room for", () =>
    onDisk(Effect.gen(function*() {
      const found = yield* Effect.forEach([0, 100, 300, 1e6], (memory) =>
        Effect.provide(building, over(memory), { local: true }))
      for (const own of found) {
        assert.deepStrictEqual(own, found[0])
      }
    })))
  it.live.skipIf(process.platform !== "linux")("is gone when it is used no more", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const during = yield* building.pipe(
        Effect.map(() => unnamed(folder)),
        Effect.scoped,
        Effect.provide(over(0).pipe(Layer.provide(within(folder))), { local: true })
      )
      assert.deepStrictEqual([during, unnamed(folder), readdirSync(folder)], [1, 0, []])
    })))
  it.live("is refused before anything is encoded where the temporary folder has no room for it", () =>
    onDisk(Effect.gen(function*() {
      const vast = {
        dim: 2 ** 30,
        chunks: [{ docs: Int32Array.of(0), rows: 2 ** 20, length: 100 }],
        vectors: Stream.die("no")
      }
      const error = yield* Effect.flip(
        Effect.flatMap(PassageIndex, ({ build }) => build(1, origin, vast)).pipe(
          Effect.provide(over(0), { local: true })
        )
      )
      assert.match(String(error), /the index takes 400 PiB, .*TMPDIR, or raise index_in_memory/)
    })))
  it.live("that has no folder is an error that says what to do", () =>
    onDisk(Effect.gen(function*() {
      const layer = over(0).pipe(Layer.provide(within("/nowhere/at/all")))
      const error = yield* Effect.flip(Effect.provide(building, layer, { local: true }))
      assert.match(String(error), /there is no such file or folder; .*TMPDIR, or raise index_in_memory/)
    })))
})
