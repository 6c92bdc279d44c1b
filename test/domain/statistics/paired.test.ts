import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { kappa } from "../../../src/domain/statistics/agreement.ts"
import { holm, mcnemar, needed, permutation } from "../../../src/domain/statistics/paired.ts"

const values = (all: ReadonlyArray<number>, group: (i: number) => string = String) =>
  all.map((value, i) => ({ group: group(i), value }))

describe("paired tests", () => {
  it("do not depend on which side is first", () => {
    fc.assert(fc.property(fc.nat(300), fc.nat(300), (a, b) => assert.strictEqual(mcnemar(a, b), mcnemar(b, a))))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 30 }), (all) => {
        assert.strictEqual(permutation(values(all)), permutation(values(all.map((value) => -value))))
      }),
      { numRuns: 30 }
    )
  })

  it("permutation agrees with McNemar where values are of right and wrong answers", () => {
    const all = [...Array.from({ length: 9 }, () => 1), ...Array.from({ length: 3 }, () => -1), 0, 0]
    assert.closeTo(permutation(values(all)), mcnemar(3, 9), 1e-12)
  })

  it("permutation takes groups as wholes, and draws patterns where there are many", () => {
    assert.strictEqual(permutation(values([1, 1, 1, 1], () => "one")), 1)
    assert.strictEqual(permutation(values([])), 1)
    const many = [...Array.from({ length: 60 }, () => 1), ...Array.from({ length: 40 }, () => -1)]
    assert.closeTo(permutation(values(many)), mcnemar(40, 60), 0.01)
    assert.strictEqual(permutation(values(many)), permutation(values(many)))
  })

  it("holm keeps the order and never makes a p-value smaller", () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (ps) => {
      const adjusted = holm(ps)
      ps.forEach((p, i) => {
        assert.isAtLeast(adjusted[i]!, p)
        assert.isAtMost(adjusted[i]!, 1)
        ps.forEach((q, j) => assert.isTrue(p > q || adjusted[i]! <= adjusted[j]! || p === q))
      })
    }))
  })

  it("needed is Connor's number for independent questions, more for groups that go together, none without a difference", () => {
    /** 30 of 100 questions discordant, a difference of 0.1: (1.96 √0.3 + 0.8416 √0.29)² / 0.01. */
    const all = [
      ...Array.from({ length: 20 }, () => 1),
      ...Array.from({ length: 10 }, () => -1),
      ...Array.from({ length: 70 }, () => 0)
    ]
    assert.strictEqual(needed(values(all)), 234)
    const pairs = all.flatMap((value) => [value, value])
    assert.closeTo(needed(values(pairs, (i) => String(Math.floor(i / 2))))!, 2 * 234, 2)
    assert.isNull(needed(values([1, -1])))
    assert.isNull(needed([]))
  })

  it("kappa is 1 for the same labels, 0 for chance, null where chance cannot disagree", () => {
    assert.strictEqual(kappa(["a", "b"], ["a", "b"], "none", ["a", "b"]), 1)
    assert.strictEqual(kappa(["a", "a", "b", "b"], ["a", "b", "a", "b"], "quadratic", ["a", "b"]), 0)
    assert.isNull(kappa(["a", "a"], ["a", "a"], "none", ["a", "b"]))
  })
})
