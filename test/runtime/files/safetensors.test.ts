/** Weights in files: round trips, and every way a file can be wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { join } from "node:path"
import * as Key from "../../../src/domain/Key.ts"
import { flatten, normal, ones } from "../../../src/kernels/nn/Module.ts"
import { decodeEncoder } from "../../../src/runtime/files/config/encoder.ts"
import { encode, read, type StoredTensors } from "../../../src/runtime/files/safetensors/write.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const tensors: StoredTensors = new Map([
  ["b.weight", { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, -1e30) }],
  ["a.bias", { shape: [], data: Float32Array.of(7) }]
])
const name = fc.stringMatching(/^[a-zé][a-z.0-9]{0,8}$/)
const anyTensors = fc.uniqueArray(fc.tuple(name, fc.array(fc.nat(3), { maxLength: 3 }), fc.nat()), {
  selector: ([key]) => key,
  maxLength: 5
}).map((list): StoredTensors =>
  new Map(list.map(([key, shape, seed]) => {
    const size = shape.reduce((a, b) => a * b, 1)
    return [key, { shape, data: Float32Array.from({ length: size }, (_, i) => Key.normal(Key.make(seed), i)) }]
  }))
)

/** A file of one header and so many bytes of data. */
const file = (header: object | string, data: Uint8Array = new Uint8Array(8)): Uint8Array => {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + json.length + data.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(data, 8 + json.length)
  return bytes
}
const entry = (dtype: string, shape: ReadonlyArray<number>, from: number, to: number) => ({
  w: { dtype, shape, data_offsets: [from, to] }
})

const readBack = Effect.fnUntraced(function*(bytes: Uint8Array) {
  return yield* read(join(yield* folderOf({ "w.safetensors": bytes }), "w.safetensors"))
})
const refusal = (bytes: Uint8Array) => onDisk(Effect.flip(readBack(bytes)))

describe("a safetensors file", () => {
  it("gives back what was written, byte for byte", () =>
    fc.assert(
      fc.asyncProperty(anyTensors, (some) =>
        Effect.runPromise(onDisk(Effect.map(readBack(encode(some)), (back) => {
          assert.deepStrictEqual(new Map([...back].toSorted()), new Map([...some].toSorted()))
          assert.deepStrictEqual(encode(back), encode(some))
        })))),
      { numRuns: 30 }
    ))
  it("has the same bytes whatever order its tensors came in, and data that starts on eight bytes", () => {
    assert.deepStrictEqual(encode(new Map([...tensors].toReversed())), encode(tensors))
    assert.strictEqual(new DataView(encode(tensors).buffer).getUint32(0, true) % 8, 0)
  })
  it.live("may hold half precision of either kind", () =>
    onDisk(Effect.gen(function*() {
      const half = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x8000, 0x3555).buffer)
      const ieee = (yield* readBack(file(entry("F16", [7], 0, 14), half))).get("w")!.data
      assert.deepStrictEqual([...ieee], [1, -2, 65504, 2 ** -24, 2 ** -14, -0, 0x555 / 4096])
      const brain = new Uint8Array(Uint16Array.of(0x3f80, 0xc049, 0x0080).buffer)
      const wide = (yield* readBack(file(entry("BF16", [3], 0, 6), brain))).get("w")!.data
      assert.deepStrictEqual([...wide], [1, -3.140625, 2 ** -126])
    })))
  for (
    const [what, bytes, place, reason] of [
      ["is empty", new Uint8Array(0), "header", /truncated/],
      ["ends in its header", encode(tensors).subarray(0, 40), "header", /truncated/],
      ["ends in its data", encode(tensors).subarray(0, -1), "tensor b.weight", /truncated/],
      ["has a header that is not JSON", file("{not json"), "header", /JSON/],
      ["has a header of another kind", file({ w: 3 }), "tensor w", /element type/],
      ["is something else", new TextEncoder().encode("<!doctype html>"), "header", /not safetensors/],
      [
        "is a Git LFS pointer",
        new TextEncoder().encode(`version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 9\n`),
        "",
        /Git LFS pointer.*git lfs pull/
      ],
      ["holds too few bytes for a shape", file(entry("F32", [3], 0, 8)), "tensor w", /8 bytes do not hold 3 F32/],
      ["holds numbers of another type", file(entry("I64", [1], 0, 8)), "tensor w", /I64 is not one of F32, F16, BF16/],
      ["ends before it starts", file(entry("F32", [1], 8, 4)), "tensor w", /do not hold/],
      ["has a type of its own", file(entry("F33", [1], 0, 8)), "tensor w", /"F33" is no element type/],
      [
        "has bytes that no tensor has",
        file(entry("F32", [1], 0, 4)),
        "header",
        /4 bytes at the end belong to no tensor/
      ],
      ["has a hole", file(entry("F32", [1], 4, 8)), "tensor w", /starts at byte 4, where 0 is the next/],
      [
        "has two tensors in one place",
        file({ ...entry("F32", [2], 0, 8), v: { dtype: "F32", shape: [1], data_offsets: [4, 8] } }),
        "tensor v",
        /starts at byte 4, where 8/
      ],
      [
        "has two tensors of one name",
        file(
          `{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
        ),
        "tensor w",
        /twice/
      ],
      ["tells of itself in numbers", file({ __metadata__: { a: 1 } }, new Uint8Array(0)), "__metadata__", /texts/],
      ["is nested", file(`{"w":${"[".repeat(1e5)}${"]".repeat(1e5)}}`), "header", /deeper/],
      ["has a negative size", file(entry("F32", [-1, -2], 0, 8)), "tensor w", /shape/],
      ["has a header that is no UTF-8", file("\u{0}").with(8, 0xff), "header", /not JSON|UTF-8|not valid/i]
    ] as const
  ) {
    it.live(`that ${what} is refused, telling where`, () =>
      Effect.map(refusal(bytes), (error) => {
        assert.match(error.path, /w\.safetensors$/)
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
      }))
  }
  for (const value of [NaN, Infinity, -Infinity]) {
    it.live(`that holds ${value} is refused, telling where`, () =>
      Effect.map(refusal(encode(new Map([["w", { shape: [3], data: Float32Array.of(1, value, 2) }]]))), (error) => {
        assert.deepStrictEqual([error.place, error.reason], ["tensor w", `element 1 is ${value}`])
      }))
  }
})

describe("the weights of a model folder", () => {
  const params = flatten({ a: { weight: normal([2, 3], 1) }, b: ones(4) })
  const fitting: StoredTensors = new Map([
    ["a.weight", { shape: [2, 3], data: new Float32Array(6) }],
    ["b", { shape: [4], data: new Float32Array(4) }]
  ])
  const loaded = (stored: StoredTensors) =>
    Effect.flatMap(
      folderOf({ "model.safetensors": encode(stored) }),
      (folder) => ModelFolder.weights(folder, params, 1)
    )
  it.live("are the file's", () =>
    onDisk(Effect.map(loaded(fitting), (weights) => {
      assert.deepStrictEqual(weights, new Map([...fitting].map(([path, { data }]) => [path, data])))
    })))
  it.live("are drawn under the seed where there is no file, the folder says so and whoever asks allows it", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ [ModelFolder.UNTRAINED]: "{}" })
      const [one, again, other] = yield* Effect.forEach(
        [1, 1, 2],
        (seed) => ModelFolder.weights(folder, params, seed, { draws: true })
      )
      const refused = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>, draws: boolean) {
        const error = yield* Effect.flip(ModelFolder.weights(yield* folderOf(files), params, 1, { draws }))
        return error.reason
      })
      assert.match(yield* refused({ [ModelFolder.UNTRAINED]: "{}" }, false), /has no weights yet; train it first/)
      assert.match(yield* refused({}, true), /has no weights \(model\.safetensors\)/)
      assert.deepStrictEqual(one, again)
      assert.notDeepEqual(one!.get("a.weight"), other!.get("a.weight"))
      assert.deepStrictEqual([...one!.get("b")!], [1, 1, 1, 1])
    })))
  it.live("must fit: every misfit is told at once", () =>
    onDisk(Effect.gen(function*() {
      const wrong = new Map([["a.weight", { shape: [3, 2], data: new Float32Array(6) }], ["c", fitting.get("b")!]])
      const error = yield* Effect.flip(loaded(wrong))
      assert.strictEqual(
        error.reason,
        "a.weight is [3,2], not [2,3]; b [4] is missing; c [4] is unknown to this architecture"
      )
    })))
  it.live("must be those of a config.json that can be read", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "config.json": "{\"hidden_size\": 0}" })
      const error = yield* Effect.flip(ModelFolder.open(folder, decodeEncoder))
      assert.strictEqual(error.path, join(folder, "config.json"))
      assert.match(error.reason, /hidden_size[^]*vocab_size|vocab_size[^]*hidden_size/)
    })))
})
