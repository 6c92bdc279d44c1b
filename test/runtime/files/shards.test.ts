/** Weights in files of a greatest size, and of a narrower type. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { bytesIn, type Options, split, write } from "../../../src/runtime/files/safetensors/shards.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const names = (sizes: ReadonlyArray<number>, most: number) =>
  split(sizes.map((bytes, i) => ({ name: `t${i}`, bytes })), most).map((file) => file.join(" "))

describe("splitting", () => {
  it("fills each file in order, and gives a tensor that is too large one of its own", () => {
    assert.deepStrictEqual(names([6, 6, 2, 6, 2, 2], 10), ["t0", "t1 t2", "t3 t4 t5"])
    assert.deepStrictEqual(names([1, 11, 2], 10), ["t1", "t0 t2"])
    assert.deepStrictEqual(names([5, 5], 10), ["t0 t1"])
    assert.deepStrictEqual(names([11], 10), ["t0"])
  })
  it("counts sizes by powers of ten", () => {
    assert.deepStrictEqual(["5GB", "500mb", "1.5 KB", "2TB"].map(bytesIn), [5e9, 5e8, 1500, 2e12])
    assert.deepStrictEqual(["5", "GB", "5 GiB", "-1GB"].map(bytesIn), [undefined, undefined, undefined, undefined])
  })
})

/** Values written in a type and read again. */
const through = Effect.fnUntraced(function*(values: ReadonlyArray<number>, dtype: Options["dtype"]) {
  const folder = yield* folderOf({})
  const data = Float32Array.from(values)
  const tensor = { name: "t", shape: [data.length], values: Effect.succeed(data) }
  yield* write(folder, [tensor], { dtype, maxShardSize: 1e9 })
  return (yield* Safetensors.read(join(folder, "model.safetensors"))).get("t")!.data
})

/** Finite positive values of a type with so many bits of fraction and so small an exponent, in order. */
const finite = (fraction: number, exponents: number, bias: number): ReadonlyArray<number> =>
  Array.from({ length: exponents * 2 ** fraction }, (_, code) => {
    const [exponent, rest] = [Math.floor(code / 2 ** fraction), code % 2 ** fraction]
    return exponent === 0 ? rest * 2 ** (1 - bias - fraction) : (1 + rest / 2 ** fraction) * 2 ** (exponent - bias)
  })

const types = {
  float16: { all: finite(10, 31, 15), greatest: 65504, beyond: 65520 },
  bfloat16: { all: finite(7, 255, 127), greatest: (2 - 2 ** -7) * 2 ** 127, beyond: 3.4e38 }
} as const

describe("a narrower type", () => {
  for (const [dtype, { all, beyond, greatest }] of Object.entries(types)) {
    const type = dtype as keyof typeof types
    it.live(`${dtype} has its own values exactly, of both signs`, () =>
      onDisk(Effect.gen(function*() {
        const values = [...all, ...all.map((x) => -x)]
        assert.deepStrictEqual([...yield* through(values, type)], values)
        assert.strictEqual(all.at(-1), greatest)
      })))
    it.live(`${dtype} rounds to the nearest, ties to even`, () =>
      onDisk(Effect.gen(function*() {
        const pairs = all.slice(1, -1).map((low, k) => [low, all[k + 2]!] as const)
        const middles = yield* through(pairs.map(([low, high]) => (low + high) / 2), type)
        pairs.forEach(([low, high], k) => assert.strictEqual(middles[k], k % 2 === 0 ? high : low))
        const near = yield* through(
          pairs.flatMap(([low, high]) => [low + 0.49 * (high - low), low + 0.51 * (high - low)]),
          type
        )
        pairs.forEach(([low, high], k) => assert.deepStrictEqual([near[2 * k], near[2 * k + 1]], [low, high]))
      })))
    it.live(`${dtype} refuses what is beyond it, by name`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(through([1, -beyond], type))
        assert.strictEqual(error._tag, "FileError")
        assert.match(error.message, new RegExp(`model.safetensors, tensor t: -.* is beyond the range of ${dtype}`))
      })))
  }
})

describe("saving", () => {
  for (const dtype of ["float32", "float16", "bfloat16"] as const) {
    for (const value of [NaN, Infinity, -Infinity]) {
      it.live(`refuses ${value} as ${dtype}`, () =>
        onDisk(Effect.gen(function*() {
          const tensors = [{ name: "t", shape: [3], values: Effect.succeed(Float32Array.of(1, 2, value)) }]
          const error = yield* Effect.flip(write(yield* folderOf({}), tensors, { dtype, maxShardSize: 100 }))
          assert.include(error.message, `tensor t: element 2 is ${value}`)
        })))
    }
  }
})

describe("files of a greatest size", () => {
  it.live("have every tensor once, and an index that tells where", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({})
      const tensors = Array.from({ length: 7 }, (_, i) => ({
        name: `t${6 - i}`,
        shape: [i + 1, 2],
        values: Effect.succeed(new Float32Array(2 * i + 2).fill(i))
      }))
      const files = yield* write(folder, tensors, { dtype: "float32", maxShardSize: 100 })
      assert.deepStrictEqual(files.toSorted(), readdirSync(folder).toSorted())
      assert.include(files, "model.safetensors.index.json")
      const weights = files.filter((name) => name.endsWith(".safetensors"))
      const read = yield* Effect.forEach(weights, (file) => Safetensors.read(join(folder, file)))
      const names = read.flatMap((file) => [...file.keys()])
      assert.sameMembers(names, tensors.map(({ name }) => name))
      for (const file of read) {
        for (const [name, { data, shape }] of file) {
          const i = 6 - Number(name.slice(1))
          assert.deepStrictEqual([shape, [...data]], [[i + 1, 2], Array<number>(2 * i + 2).fill(i)])
        }
      }
    })))
})
