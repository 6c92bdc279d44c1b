/** Numbers that are none are found wherever they are. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { firstInfinite } from "../../src/kernels/finite.ts"

describe("the first element that is no finite number", () => {
  it("is the one that Number.isFinite finds, in any part of an array", () => {
    const bits = fc.array(
      fc.oneof(fc.nat(2 ** 32 - 1), fc.constantFrom(0x7f800000, 0xff800000, 0x7fc00001, 0x7f7fffff)),
      {
        maxLength: 20
      }
    )
    fc.assert(fc.property(bits, fc.nat(3), (bits, skipped) => {
      const all = new Float32Array(Uint32Array.from(bits).buffer)
      const values = all.subarray(Math.min(skipped, all.length))
      assert.strictEqual(firstInfinite(values), values.findIndex((x) => !Number.isFinite(x)))
    }))
  })
  it("is none of the smallest and the greatest numbers there are", () => {
    const numbers = [0, -0, 1e-45, -1e-45, 1.1754944e-38, 3.4028235e38, -3.4028235e38]
    assert.strictEqual(firstInfinite(Float32Array.from(numbers)), -1)
    for (const bad of [NaN, -NaN, Infinity, -Infinity]) {
      assert.strictEqual(firstInfinite(Float32Array.from([...numbers, bad, bad])), numbers.length)
    }
  })
})
