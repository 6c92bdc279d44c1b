/** An index comes back from disk as it was written, for the corpus and the weights it is of, or not at all. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { FileError, sha256 } from "../../../src/runtime/files/disk.ts"
import type { VectorIndex } from "../../../src/runtime/retrieval/indexes/exact.ts"
import { hashOf, type Origin, read, write } from "../../../src/runtime/retrieval/indexes/stored.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const DIM = 4
const vectors = (rows: number, length: number) =>
  Float32Array.from({ length: rows * length * DIM }, (_, i) => Math.sin(i) * length)

/** Two chunks of other lengths, the second not full, docs in an order of their own. */
const index: VectorIndex = {
  generation: 7,
  passages: 5,
  chunks: [
    { docs: Int32Array.of(3, 0, 4), length: 2, vectors: vectors(3, 2) },
    { docs: Int32Array.of(2, 1), length: 5, vectors: vectors(3, 5) }
  ]
}
const weights = new Map([["a", Float32Array.of(1, 2)], ["b", Float32Array.of(3)]])
const origin: Origin = { corpus: "corpus", weights }

const written = Effect.gen(function*() {
  const folder = join(yield* folderOf({}), "new", "index")
  yield* write(folder, index, DIM, origin)
  return folder
})

/** Why the index is refused, once `spoil` was done to its folder. */
const refusal = (spoil: (fs: FileSystem.FileSystem, folder: string) => Effect.Effect<unknown, unknown>) =>
  onDisk(Effect.gen(function*() {
    const folder = yield* written
    yield* Effect.orDie(spoil(yield* FileSystem.FileSystem, folder))
    const error = yield* Effect.flip(read(folder, origin))
    assert.instanceOf(error, FileError)
    return error.message.replace(folder, "")
  }))

const VECTORS = "vectors.safetensors"
const METADATA = "metadata.json"

describe("a stored index", () => {
  it.live("is read as it was written", () =>
    onDisk(Effect.gen(function*() {
      const found = yield* read(yield* written, origin)
      assert.deepStrictEqual(found, { ...index, generation: 1 })
    })))
  it.live("is replaced by the next one", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* written
      const next = { ...index, passages: 2, chunks: [{ ...index.chunks[1]!, docs: Int32Array.of(1, 0) }] }
      const trained = { ...origin, weights: new Map([["a", Float32Array.of(9)]]) }
      yield* write(folder, next, DIM, trained)
      assert.deepStrictEqual(yield* read(folder, trained), { ...next, generation: 1 })
      assert.match((yield* Effect.flip(read(folder, origin))).message, /other weights/)
    })))
  it.live("is refused for another corpus and for other weights", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* written
      const moved = new Map([...weights, ["b", Float32Array.of(3.0000002)]])
      const why = (own: Partial<Origin>) => Effect.map(Effect.flip(read(folder, { ...origin, ...own })), String)
      assert.match(yield* why({ corpus: "other" }), /the index of another corpus.*anamnesis embed/)
      assert.match(yield* why({ weights: moved }), /the index of other weights.*anamnesis embed/)
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
          Effect.flatMap(
            fs.readFileString(join(folder, METADATA)),
            (text) =>
              fs.writeFileString(
                join(folder, METADATA),
                JSON.stringify(edit(JSON.parse(text) as Record<string, unknown>))
              )
          )
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
      assert.match(
        yield* edit((old) => old.replace(`"format":1`, `"format":2`)),
        /^\/metadata.json: format: expected 1/
      )
    }))
})

describe("the hash of weights", () => {
  it("tells names and values, whatever their order", () => {
    const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3)]
    assert.strictEqual(hashOf(new Map([["b", b], ["a", a]])), hashOf(new Map([["a", a], ["b", b]])))
    assert.strictEqual(hashOf(new Map([["a", Float32Array.of(0, 1, 2).subarray(1)], ["b", b]])), hashOf(weights))
    assert.notStrictEqual(hashOf(new Map([["a", b], ["b", a]])), hashOf(weights))
    assert.notStrictEqual(hashOf(new Map([["a", a], ["c", b]])), hashOf(weights))
  })
})
