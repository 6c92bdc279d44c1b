/** GGUF's quantised blocks taken over: the same values, to the bit, by llama.cpp's own definition of them. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fromWords, toWords } from "../../../src/kernels/half.ts"
import { dequantise } from "../../../src/kernels/quantise.ts"
import { type BlockType, fromGguf } from "../../../src/runtime/files/gguf/blocks/asQuantised.ts"

const strides = { Q4_0: 18, Q4_1: 20, Q8_0: 34 } as const
const half = (view: DataView, at: number): number => fromWords(Uint16Array.of(view.getUint16(at, true)), "float16")[0]!

/** The values of blocks, as `dequantize_row_*` of llama.cpp defines them. */
const values = (type: BlockType, bytes: Uint8Array): Float32Array => {
  const [view, stride] = [new DataView(bytes.buffer), strides[type]]
  const all: Array<number> = []
  for (let at = 0; at < bytes.length; at += stride) {
    const d = half(view, at)
    if (type === "Q8_0") { for (let j = 0; j < 32; j++) all.push(d * view.getInt8(at + 2 + j)) }
    else {
      const [from, m] = type === "Q4_0" ? [at + 2, -8 * d] : [at + 4, half(view, at + 2)]
      for (let j = 0; j < 32; j++) {
        const byte = bytes[from + j % 16]!
        all.push(d * (j < 16 ? byte & 15 : byte >> 4) + m)
      }
    }
  }
  return Float32Array.from(all)
}

/** Blocks of random integers; the float16 fields of each are what `fields` draws. */
const blocks = (type: BlockType, fields: fc.Arbitrary<ReadonlyArray<number>>) =>
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 })).chain(([rows, perRow]) =>
    fc.tuple(
      fc.uint8Array({ minLength: rows * perRow * strides[type], maxLength: rows * perRow * strides[type] }),
      fc.array(fields, { minLength: rows * perRow, maxLength: rows * perRow })
    ).map(([bytes, heads]) => {
      const view = new DataView(bytes.buffer)
      heads.forEach((head, i) => {
        const words = toWords(Float32Array.from(head), "float16")
        words.forEach((word, k) => view.setUint16(i * strides[type] + 2 * k, word, true))
      })
      return { bytes, rows, columns: 32 * perRow }
    })
  )
const scale = fc.noBias(fc.integer({ min: -2048, max: 2048 })).map((i) => i / 1024)

describe("GGUF's blocks", () => {
  for (const type of ["Q4_0", "Q8_0"] as const) {
    it(`are taken over to the bit: ${type}`, () => {
      fc.assert(fc.property(blocks(type, fc.tuple(scale)), ({ bytes, columns, rows }) => {
        const { blocks: form, matrix } = fromGguf(type, bytes, rows, columns)!
        const [got, want] = [dequantise(matrix, columns, form), values(type, bytes)]
        want.forEach((x, i) => assert.isTrue(x === got[i], `${x} ${got[i]}`))
      }))
    })
    it(`are left alone with a scale that is no number: ${type}`, () => {
      const bytes = new Uint8Array(2 * strides[type])
      new DataView(bytes.buffer).setUint16(strides[type], 0x7e00, true)
      assert.isUndefined(fromGguf(type, bytes, 2, 32))
    })
  }
  it("are taken over to the bit with their minimum: Q4_1", () => {
    fc.assert(fc.property(blocks("Q4_1", fc.tuple(scale, scale)), ({ bytes, columns, rows }) => {
      const { blocks: form, matrix } = fromGguf("Q4_1", bytes, rows, columns)!
      const [got, want] = [dequantise(matrix, columns, form), values("Q4_1", bytes)]
      want.forEach((x, i) => assert.isTrue(x === got[i], `${x} ${got[i]}`))
    }))
    const bytes = new Uint8Array(2 * strides.Q4_1)
    new DataView(bytes.buffer).setUint16(strides.Q4_1 + 2, 0x7c00, true)
    assert.isUndefined(fromGguf("Q4_1", bytes, 2, 32))
  })
  it("are refused where they are not as many as the shape has", () => {
    assert.throws(
      () => fromGguf("Q4_0", new Uint8Array(18), 1, 64),
      RangeError,
      "18 bytes are no Q4_0 blocks of [1,64]"
    )
    assert.throws(() => fromGguf("Q8_0", new Uint8Array(34), 2, 16), RangeError)
  })
})
