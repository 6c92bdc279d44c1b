/** An index comes back from disk as it was written, for the corpus and the weights it is of, or not at all. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { sha256 } from "../../../src/runtime/files/disk.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { IndexError, type Origin, PassageIndex, type PassageVectors } from "../../../src/runtime/ports/PassageIndex.ts"
import { hashOf } from "../../../src/runtime/retrieval/indexes/origin.ts"
import { from, into } from "../../../src/runtime/retrieval/indexes/stored.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import { suite } from "../ports/passageIndex.suite.ts"

const session = cpu({ threads: 1 })
for (const [what, memory] of [["", 0], [", the first of it in memory", 200], [", all in memory", 1e9]] as const) {
  suite(`on the disk${what}`, (folder) => into(folder, { memory }).pipe(Layer.provide(session)))
}

const DIM = 4
const vectors = (rows: number, length: number) =>
  Float32Array.from({ length: rows * length * DIM }, (_, i) => Math.sin(i) * length)

/** Two chunks of other lengths, the second not full, docs in an order of their own. */
const chunks = [
  { docs: Int32Array.of(3, 0, 4), rows: 3, length: 2 },
  { docs: Int32Array.of(2, 1), rows: 3, length: 5 }
]
const own = chunks.map(({ length, rows }) => vectors(rows, length))
const corpus: PassageVectors<never, never> = { dim: DIM, chunks, vectors: Stream.fromIterable(own) }
const origin: Origin = { corpus: "corpus", weights: () => "weights" }
const asked = { count: 2, length: 2, vectors: vectors(4, 2) }

const building = (folder: string, of = origin, source = corpus) =>
  Effect.flatMap(PassageIndex, ({ build }) => build(1, of, source)).pipe(
    Effect.flatMap((index) => index.search(asked, 5)),
    Effect.scoped,
    Effect.provide(into(folder, { memory: 0 }).pipe(Layer.provide(session)), { local: true })
  )
const opening = (folder: string, of = origin) =>
  Effect.flatMap(PassageIndex, ({ open }) => open(of)).pipe(
    Effect.flatMap((index) => Effect.map(index!.search(asked, 5), (found) => ({ found, index: index! }))),
    Effect.scoped,
    Effect.provide(from(folder, { memory: 0 }).pipe(Layer.provide(session)), { local: true })
  )

const written = Effect.gen(function*() {
  const folder = join(yield* folderOf({}), "new", "index")
  return { folder, found: yield* building(folder) }
})

/** Why the index is refused, once `spoil` was done to its folder. */
const refusal = (spoil: (fs: FileSystem.FileSystem, folder: string) => Effect.Effect<unknown, unknown>) =>
  onDisk(Effect.gen(function*() {
    const { folder } = yield* written
    yield* Effect.orDie(spoil(yield* FileSystem.FileSystem, folder))
    const error = yield* Effect.flip(opening(folder))
    assert.instanceOf(error, IndexError)
    return error.message.replace(folder, "")
  }))

const VECTORS = "vectors.safetensors"
const METADATA = "metadata.json"

describe("a stored index", () => {
  it.live("is opened as it was written", () =>
    onDisk(Effect.gen(function*() {
      const { folder, found } = yield* written
      const opened = yield* opening(folder)
      assert.deepStrictEqual(opened.found, found)
      assert.deepStrictEqual([opened.index.generation, opened.index.stats.passages], [1, 5])
    })))
  it.live("has the bytes that its format says, and no others beside them", () =>
    onDisk(Effect.gen(function*() {
      const { folder } = yield* written
      const tensors = chunks.map(({ length, rows }, i) =>
        [`00000${i}`, { shape: [rows, length, DIM], data: own[i]! }] as const
      )
      const bytes = readFileSync(join(folder, VECTORS))
      assert.deepStrictEqual(new Uint8Array(bytes), Safetensors.encode(new Map(tensors)))
      const docs = chunks.map((chunk) => ({ docs: [...chunk.docs], length: chunk.length }))
      const told = { format: 1, passages: 5, dim: DIM, corpus: "corpus", weights: "weights", vectors: sha256(bytes) }
      const all = { ...told, chunks: docs }
      const text = JSON.stringify({ ...all, sha256: sha256(JSON.stringify(all)) })
      assert.strictEqual(readFileSync(join(folder, METADATA), "utf8"), text)
      assert.sameMembers(readdirSync(folder), [VECTORS, METADATA])
    })))
  it.live("is replaced by the next one", () =>
    onDisk(Effect.gen(function*() {
      const { folder } = yield* written
      const next = {
        ...corpus,
        chunks: [{ ...chunks[1]!, docs: Int32Array.of(1, 0) }],
        vectors: Stream.make(own[1]!)
      }
      const trained = { ...origin, weights: () => "trained" }
      const found = yield* building(folder, trained, next)
      assert.deepStrictEqual((yield* opening(folder, trained)).found, found)
      assert.match((yield* Effect.flip(opening(folder))).message, /other weights/)
    })))
  it.live("leaves the one before where its vectors are no numbers", () =>
    onDisk(Effect.gen(function*() {
      const { folder, found } = yield* written
      const bad = { ...corpus, vectors: Stream.make(own[0]!, own[1]!.with(7, NaN)) }
      const error = yield* Effect.flip(building(folder, origin, bad))
      assert.match(error.message, /vectors.safetensors.partial, tensor 000001: element 7 is NaN/)
      assert.deepStrictEqual((yield* opening(folder)).found, found)
      assert.sameMembers(readdirSync(folder), [VECTORS, METADATA])
    })))
  it.live("is written by one process at a time", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const slow = {
        ...corpus,
        vectors: Stream.mapEffect(corpus.vectors, (some) => Effect.delay(Effect.succeed(some), 50))
      }
      const results = yield* Effect.all(
        [building(folder, origin, slow), building(folder, origin, slow)].map(Effect.result),
        {
          concurrency: 2
        }
      )
      const failures = results.filter(({ _tag }) => _tag === "Failure")
      assert.strictEqual(failures.length, 1)
      assert.match(String((failures[0] as { readonly failure: Error }).failure.message), /is being written by process/)
    })))
  it.live("is refused before anything is encoded where the disk has no room for it", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const vast = {
        dim: 2 ** 30,
        chunks: [{ docs: Int32Array.of(0), rows: 2 ** 20, length: 100 }],
        vectors: Stream.die("no")
      }
      const error = yield* Effect.flip(building(folder, origin, vast))
      assert.match(error.message, /: the index takes 400 PiB, and the disk has room for /)
    })))
  it.live("is refused for another corpus and for other weights", () =>
    onDisk(Effect.gen(function*() {
      const { folder } = yield* written
      const why = (other: Partial<Origin>) => Effect.map(Effect.flip(opening(folder, { ...origin, ...other })), String)
      assert.match(yield* why({ corpus: "other" }), /the index of another corpus.*anamnesis embed/)
      assert.match(yield* why({ weights: () => "moved" }), /the index of other weights.*anamnesis embed/)
    })))
  /** Metadata with the hash that they should have. */
  const sealed = ({ chunks, corpus, dim, format, passages, vectors, weights }: Record<string, unknown>) => {
    const content = { format, passages, dim, corpus, weights, vectors, chunks }
    return { ...content, sha256: sha256(JSON.stringify(content)) }
  }
  type Edit = (old: Record<string, unknown>) => Record<string, unknown>
  const wrong: ReadonlyArray<readonly [what: string, edit: Edit, reason: RegExp]> = [
    ["has another number of passages", (old) => ({ ...old, passages: 4 }), /not as it was written/],
    ["has no hash", (old) => ({ ...old, sha256: undefined }), /written by an earlier version.*anamnesis embed/],
    ["lacks a passage", (old) => sealed({ ...old, passages: 6 }), /passage 5 is in no chunk/],
    ["lacks all but a few", (old) => sealed({ ...old, passages: 2 ** 53 - 1 }), /passage 5 is in no chunk/],
    ["has a passage twice", (old) => sealed({ ...old, passages: 4 }), /passage 4 again, or beyond/],
    ["lacks a chunk", (old) => sealed({ ...old, chunks: [] }), /0 chunks are not the 2 of vectors.safetensors/],
    ["has vectors of another size", (old) => sealed({ ...old, dim: 2 }), /chunk 0 is not what it tells/]
  ]
  for (const [what, edit, reason] of wrong) {
    it.live(`is refused where its metadata ${what}`, () =>
      Effect.gen(function*() {
        const told = yield* refusal((fs, folder) =>
          Effect.flatMap(fs.readFileString(join(folder, METADATA)), (text) =>
            fs.writeFileString(
              join(folder, METADATA),
              JSON.stringify(edit(JSON.parse(text) as Record<string, unknown>))
            ))
        )
        assert.match(told, reason)
      }))
  }
  it.live("is refused where its vectors are gone, cut short, or others", () =>
    Effect.gen(function*() {
      const gone = yield* refusal((fs, folder) => fs.remove(join(folder, VECTORS)))
      assert.strictEqual(gone, `/${VECTORS}: there is no such file or folder`)
      const change = (edit: (bytes: Uint8Array) => Uint8Array) =>
        refusal((fs, folder) =>
          Effect.flatMap(
            fs.readFile(join(folder, VECTORS)),
            (bytes) => fs.writeFile(join(folder, VECTORS), edit(bytes))
          )
        )
      const expected = new RegExp(`^/${VECTORS}: is not what ${METADATA} tells of.*anamnesis embed`)
      assert.match(yield* change((bytes) => bytes.subarray(0, -4)), expected)
      assert.match(yield* change((bytes) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)), expected)
    }))
  it.live("is refused where what tells of it is gone, no JSON, or of another format", () =>
    Effect.gen(function*() {
      const edit = (text: (old: string) => string) =>
        refusal((fs, folder) =>
          Effect.flatMap(
            fs.readFileString(join(folder, METADATA)),
            (old) => fs.writeFileString(join(folder, METADATA), text(old))
          )
        )
      assert.match(yield* refusal((fs, folder) => fs.remove(join(folder, METADATA))), /^\/metadata.json: there is no/)
      assert.match(yield* edit((old) => old.slice(0, -1)), /^\/metadata.json: not JSON/)
      assert.match(yield* edit((old) => old.replace(`"format":1`, `"format":2`)), /^\/metadata.json: .*format/s)
    }))
})

describe("the hash of weights", () => {
  it("tells names and values, whatever their order", () => {
    const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3)]
    const weights = new Map([["a", a], ["b", b]])
    assert.strictEqual(hashOf(new Map([["b", b], ["a", a]])), hashOf(weights))
    assert.strictEqual(hashOf(new Map([["a", Float32Array.of(0, 1, 2).subarray(1)], ["b", b]])), hashOf(weights))
    assert.notStrictEqual(hashOf(new Map([["a", b], ["b", a]])), hashOf(weights))
    assert.notStrictEqual(hashOf(new Map([["a", a], ["c", b]])), hashOf(weights))
  })
})
