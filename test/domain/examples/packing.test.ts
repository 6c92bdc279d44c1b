/** Packing: rows of examples, and that every token is in one of them. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bfd, bfdSplit, type Bin, wrapped } from "../../../src/domain/examples/packing.ts"
import { packed } from "../../../src/domain/examples/tokens.ts"

const lengthsOf = (bins: ReadonlyArray<Bin>) => bins.map((bin) => bin.map(({ from, to }) => to - from))
const room = (bin: Bin, most: number) => most - bin.reduce((n, { from, to }) => n + to - from, 0)
const some = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 40 })

describe("best fit decreasing", () => {
  it("puts examples where they fit best, the longest first", () => {
    assert.deepStrictEqual(lengthsOf(bfd([4, 2, 3, 1], 4)), [[4], [3, 1], [2]])
    assert.deepStrictEqual(lengthsOf(bfdSplit([5, 2, 3, 1], 4)), [[4], [3, 1], [2, 1]])
    assert.throws(() => bfd([5], 4), /example 0 has 5 tokens/)
  })
  it("has every example once, and no row that another's examples fit into", () => {
    fc.assert(fc.property(some, (lengths) => {
      const bins = bfd(lengths, 20)
      assert.sameMembers(bins.flat().map(({ example }) => example), [...lengths.keys()])
      assert.isTrue(bins.every((bin) => room(bin, 20) >= 0))
      /** What came to a new row did not fit into those before it. */
      bins.forEach((bin, k) => {
        const first = bin[0]!.to - bin[0]!.from
        assert.isTrue(bins.slice(0, k).every((before) => room(before, 20) < first))
      })
    }))
  })
})

describe("packing", () => {
  it("has every token once, in order within its example", () => {
    fc.assert(fc.property(some, fc.integer({ min: 1, max: 9 }), (lengths, most) => {
      for (const pack of [bfdSplit, wrapped]) {
        const pieces = pack(lengths, most).flat().toSorted((a, b) => a.example - b.example || a.from - b.from)
        const tokens = pieces.flatMap(({ example, from, to }) =>
          Array.from({ length: to - from }, (_, i) => `${example}:${from + i}`)
        )
        assert.deepStrictEqual(tokens, lengths.flatMap((length, e) => Array.from({ length }, (_, i) => `${e}:${i}`)))
      }
      assert.isTrue(wrapped(lengths, most).slice(0, -1).every((bin) => room(bin, most) === 0))
    }))
  })
  const examples = [
    { id: "a", ids: [1, 2, 3], learned: [0, 1, 1] },
    { id: "b", ids: [4, 5], learned: [0, 1] },
    { id: "c", ids: [6, 7, 8, 9, 10], learned: [0, 1, 1, 1, 1] }
  ]
  it("learns no first token of an example, except where examples are joined", () => {
    assert.deepStrictEqual(packed(examples, "bfd", 5), [
      { id: "c", ids: [6, 7, 8, 9, 10], learned: [0, 1, 1, 1, 1], starts: [0] },
      { id: "a", ids: [1, 2, 3, 4, 5], learned: [0, 1, 1, 0, 1], starts: [0, 3] }
    ])
    assert.deepStrictEqual(packed(examples, "bfd_split", 4), [
      { id: "c", ids: [6, 7, 8, 9], learned: [0, 1, 1, 1], starts: [0] },
      { id: "a", ids: [1, 2, 3, 10], learned: [0, 1, 1, 0], starts: [0, 3] },
      { id: "b", ids: [4, 5], learned: [0, 1], starts: [0] }
    ])
    assert.deepStrictEqual(packed(examples, "wrapped", 4), [
      { id: "a", ids: [1, 2, 3, 4], learned: [0, 1, 1, 1], starts: [0] },
      { id: "b", ids: [5, 6, 7, 8], learned: [0, 1, 1, 1], starts: [0] },
      { id: "c", ids: [9, 10], learned: [0, 1], starts: [0] }
    ])
    assert.deepStrictEqual(packed(examples.slice(0, 1), "none", 2), [{ ...examples[0]!, starts: [0] }])
  })
})
