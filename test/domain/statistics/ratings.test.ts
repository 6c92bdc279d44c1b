/** Agreement of raters and means of systems; kappas are scikit-learn's with labels 1 to 5. */
import { assert, describe, it } from "@effect/vitest"
import { agreements, type Item, ratedSystems } from "../../../src/domain/statistics/ratings.ts"

const rater = (name: string, ...ratings: ReadonlyArray<number | undefined>) => ({
  name,
  ratings: new Map(ratings.flatMap((own, i) => own === undefined ? [] : [[`i${i}`, own] as const]))
})

describe("raters", () => {
  it("are compared on what both have rated", () => {
    const [both, none] = agreements([
      rater("a", 1, 2, 3, 4, 5, 5, undefined),
      rater("b", 1, 2, 4, 4, 3, 5, 2),
      rater("c", ...Array<undefined>(7).fill(undefined))
    ])
    assert.deepStrictEqual([both!.raters, both!.items], [["a", "b"], 6])
    assert.closeTo(both!.same!, 4 / 6, 1e-12)
    assert.closeTo(both!.near!, 5 / 6, 1e-12)
    // sklearn.metrics.cohen_kappa_score([1,2,3,4,5,5], [1,2,4,4,3,5], labels=[1..5], weights=…)
    assert.closeTo(both!.plain!, 0.586207, 1e-6)
    assert.closeTo(both!.linear!, 0.689655, 1e-6)
    assert.closeTo(both!.quadratic!, 0.794521, 1e-6)
    assert.deepStrictEqual([none!.items, none!.same, none!.plain, none!.quadratic], [0, null, null, null])
  })
  it("rate systems, which are compared question by question", () => {
    const items = ["x", "y"].flatMap((system, s) =>
      [0, 1, 2].map((q): Item => ({ item: `i${3 * s + q}`, system, question: `q${q}`, group: `g${q}` }))
    )
    const [x, y, z] = ratedSystems(["x", "y"], items, [rater("a", 1, 2, 3, 5, undefined, 4), rater("b", undefined, 4)])
    assert.deepStrictEqual([x!.system, x!.items, x!.mean.mean, x!.against], ["x", 3, 2, undefined])
    assert.deepStrictEqual([y!.system, y!.items, y!.mean.mean, y!.against!.mean], ["y", 2, 4.5, 2.5])
    assert.deepStrictEqual([z!.rater, z!.system, z!.items, z!.mean.low], ["b", "x", 1, null])
  })
})
