/** The greatest of scores that come one at a time, against all of them sorted. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TopK } from "../../src/domain/topK.ts"

describe("the greatest scores", () => {
  const table = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 12 })).chain(([rows, width]) =>
    fc.tuple(
      fc.constant(rows),
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: rows * width, maxLength: rows * width }),
      fc.integer({ min: 0, max: width + 2 }),
      fc.shuffledSubarray([...Array(width).keys()], { minLength: width, maxLength: width })
    )
  )
  it("are the front of the sorted row, equal ones in order of place, in whatever order they come", () => {
    fc.assert(fc.property(table, ([rows, values, k, order]) => {
      const width = values.length / rows
      const best = new TopK(rows, k)
      for (let r = 0; r < rows; r++) for (const doc of order) best.offer(r, doc, values[r * width + doc]!)
      for (let r = 0; r < rows; r++) {
        const row = values.slice(r * width, (r + 1) * width)
        const sorted = [...row.keys()].toSorted((a, b) => row[b]! - row[a]! || a - b).slice(0, k)
        const none = Array(k - sorted.length).fill(-1)
        assert.deepStrictEqual([...best.docs.subarray(r * k, (r + 1) * k)], [...sorted, ...none])
        assert.deepStrictEqual(
          [...best.scores.subarray(r * k, (r + 1) * k)],
          [...sorted.map((doc) => row[doc]!), ...none.map(() => -Infinity)]
        )
      }
    }))
  })
  it("are equal where they are as float32, in which they are kept", () => {
    const best = new TopK(1, 3)
    for (const [doc, score] of [[2, 1 + 2 ** -40], [0, 1], [1, 1 + 2 ** -30], [3, 0.1]] as const) {
      best.offer(0, doc, score)
    }
    assert.deepStrictEqual([...best.docs], [0, 1, 2])
  })
  it("are never missed for one that is NaN", () => {
    assert.throws(() => new TopK(1, 2).offer(0, 7, NaN), /score of 7 is NaN/)
  })
})
