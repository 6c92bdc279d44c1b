/** Quantised matrices: how far rounding is off, and how they are laid out. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Blocks, dequantise, partShapes, quantise, rules } from "../../src/kernels/quantise.ts"

const forms = ([4, 8] as const).flatMap((bits) => [16, 32, 128].map((size): Blocks => ({ bits, size })))
const both = Object.keys(rules) as ReadonlyArray<keyof typeof rules>

/** A matrix of numbers of very different sizes, some of whose rows are all zero, positive or alike. */
const matrix = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 150 })).chain(([rows, columns]) =>
  fc.tuple(
    fc.array(fc.noBias(fc.integer({ min: -1000, max: 1000 })), {
      minLength: rows * columns,
      maxLength: rows * columns
    }),
    fc.array(fc.constantFrom(0, 1e-40, 1e-6, 1, 1e30), { minLength: rows, maxLength: rows }),
    fc.constantFrom((x: number) => x, Math.abs, () => 7)
  ).map(([values, factors, shape]) => ({
    columns,
    data: Float32Array.from(values, (x, i) => factors[Math.floor(i / columns)]! * shape(x))
  }))
)

for (const blocks of forms) {
  describe(`matrices in blocks of ${blocks.size}, ${blocks.bits} bits`, () => {
    for (const rule of both) {
      it(`are off by half a step of their block at most: ${rule}`, () => {
        fc.assert(
          fc.property(matrix, ({ columns, data }) => {
            const made = quantise(data, columns, blocks, rule)
            const rows = data.length / columns
            const [quants, scales, zeros] = Object.values(partShapes(blocks, rows, columns)).map((shape) =>
              shape.reduce((a, b) => a * b)
            )
            assert.deepStrictEqual([made.quants.length, made.scales.length, made.zeros.length], [quants, scales, zeros])
            const back = dequantise(made, columns, blocks)
            const perRow = Math.ceil(columns / blocks.size)
            let [largest, off] = [0, 0]
            data.forEach((x, i) => {
              const scale = made.scales[Math.floor(i / columns) * perRow + Math.floor(i % columns / blocks.size)]!
              /** Below, scales are no longer exact to 24 bits; and back is rounded to float32. */
              off = Math.max(off, Math.abs(back[i]! - x) - scale * 0.50001 - 2 ** -23 * Math.abs(x))
              largest = Math.max(largest, Math.abs(back[i]! - x))
            })
            assert.isAtMost(off, 2 ** -140)
            assert.closeTo(made.error, largest, 2 ** -23 * Math.max(...data.map(Math.abs)) + 2 ** -149)
          }),
          { numRuns: 30 }
        )
      })
      it(`keep zeros, and what is a multiple of a step: ${rule}`, () => {
        fc.assert(
          fc.property(matrix, ({ columns, data }) => {
            const back = dequantise(quantise(data, columns, blocks, rule), columns, blocks)
            data.forEach((x, i) => x === 0 && assert.strictEqual(Math.abs(back[i]!), 0))
          }),
          { numRuns: 20 }
        )
        const most = 2 ** (blocks.bits - 1) - 1
        const whole = Float32Array.from({ length: 256 }, (_, i) => i % blocks.size === 0 ? most : i % (2 * most) - most)
        const { error } = quantise(whole, 256, blocks, "symmetric")
        assert.strictEqual(error, 0)
      })
    }
    it("have a step of the range of their values by fifteen or 255, or of twice the greatest by fourteen or 254", () => {
      const most = 2 ** blocks.bits - 1
      const data = Float32Array.from({ length: blocks.size }, (_, i) => i === 3 ? 6 : i === 5 ? -1.5 : 1)
      assert.strictEqual(quantise(data, blocks.size, blocks, "asymmetric").scales[0], Math.fround(7.5 / most))
      assert.strictEqual(quantise(data, blocks.size, blocks, "symmetric").scales[0], Math.fround(12 / (most - 1)))
    })
  })
}

describe("the layout", () => {
  it("is one row after the other, a block after the other, and of two integers in a byte the lower half first", () => {
    const blocks = { bits: 4, size: 16 } as const
    const data = Float32Array.from({ length: 3 * 20 }, (_, i) => i % 20 === 16 ? -1 : i % 16)
    const { quants, scales, zeros } = quantise(data, 20, blocks, "asymmetric")
    assert.deepStrictEqual([...quants.subarray(0, 8)], [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe])
    /** The second block of a row holds four integers, and no more: -1, 1, 2, 3 in steps of 4/15 from a zero of 4. */
    assert.deepStrictEqual([...quants.subarray(8, 11)], [0x80, 0xfb, 0])
    assert.deepStrictEqual([...scales.subarray(0, 2)], [1, Math.fround(4 / 15)])
    assert.deepStrictEqual([...zeros], [0x40, 0x20, 0x10])
  })
})
