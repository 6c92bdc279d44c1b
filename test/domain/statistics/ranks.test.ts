/** Rank correlation as scipy 1.17's `spearmanr` has it, and overlap. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { overlap, spearman } from "../../../src/domain/statistics/ranks.ts"

const scipy = [
  [[1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233],
  [[1, 1, 2, 3, 3, 3], [0.5, 2, 2, 9, 1, 2], 0.3934955014703719],
  [[3, 1, 2], [1, 3, 2], -1],
  [[10, 20, 20, 40], [1, -2, 5, 5], 0.5]
] as const

describe("rank correlation", () => {
  it("is scipy's, ties included", () => {
    for (const [a, b, expected] of scipy) assert.closeTo(spearman(a, b)!, expected, 1e-12)
  })
  it("is unknown where there is no order", () => {
    assert.isNull(spearman([1, 1], [1, 2]))
    assert.isNull(spearman([], []))
  })
  it("depends on the order alone", () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { minLength: 2 }), (pairs) => {
      const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)]
      assert.strictEqual(spearman(a, b), spearman(a.map((x) => x ** 3 - 7), b.map((y) => 2 * y)))
      const own = spearman(a, a)
      assert.isTrue(own === null || Math.abs(own - 1) < 1e-12)
    }))
  })
})

it("overlap is a share of the first", () => {
  assert.strictEqual(overlap([1, 2, 3, 4], [9, 4, 2, 8]), 0.5)
  assert.isNull(overlap([], [1]))
})
