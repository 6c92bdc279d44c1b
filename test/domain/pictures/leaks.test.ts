import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ALIKE, pictureLeaks } from "../../../src/domain/pictures/leaks.ts"
import { distance } from "../../../src/domain/pictures/likeness.ts"

const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

describe("pictures of a test", () => {
  it("leak where others have the same pixels, or almost the same, each once", () => {
    const others = [{ id: "p", hash: "a", fingerprint: 0n }, { id: "q", hash: "a", fingerprint: 0n }, {
      id: "r",
      hash: "b",
      fingerprint: 2n ** 63n
    }]
    const test = [
      { id: "same", hash: "a", fingerprint: 0n },
      { id: "near", hash: "c", fingerprint: 2n ** 63n + 7n },
      { id: "far", hash: "d", fingerprint: 0xffffn }
    ]
    assert.deepStrictEqual(pictureLeaks(test, others), {
      same: { questions: 1, examples: [{ question: "same", where: "p" }] },
      alike: { questions: 1, examples: [{ question: "near", where: "r" }] }
    })
    assert.deepStrictEqual(pictureLeaks(test, []).alike.questions, 0)
  })
  it("are alike as their distance says", () => {
    fc.assert(fc.property(bits, fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 6 }), (own, flipped) => {
      const other = flipped.reduce((value, bit) => value ^ 1n << BigInt(bit), own)
      const { alike } = pictureLeaks([{ id: "t", hash: "1", fingerprint: own }], [{
        id: "o",
        hash: "2",
        fingerprint: other
      }])
      assert.strictEqual(alike.questions === 1, distance(own, other) <= ALIKE)
    }))
  })
})
