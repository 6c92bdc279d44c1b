/** Logistic regression against scikit-learn's, and that its strength is chosen. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import { classify, fit, fitted } from "../../../src/domain/statistics/logistic.ts"

const rows = [[0.8, 0.6], [0.6, 0.8], [1, 0], [0, 1], [-0.6, 0.8], [-1, 0], [-0.8, -0.6], [0, -1], [0.28, -0.96]]
const labels = [0, 0, 0, 1, 1, 1, 2, 2, 0]
const vectors = Float32Array.from(rows.flat())

describe("logistic regression", () => {
  // scikit-learn 1.9.1: LogisticRegression(C=C, tol=1e-10, max_iter=10000).fit(rows, labels), intercepts less their mean.
  const known = [
    [1, [[1.112455, 0.001871], [-0.744969, 0.78318], [-0.367486, -0.785051]], [0.350873, -0.000304, -0.350569]],
    [100, [[6.86168, 0.250964], [-3.419721, 4.393951], [-3.44196, -4.644915]], [1.337444, 0.684936, -2.022379]]
  ] as const
  it("has scikit-learn's weights", () => {
    for (const [C, coefficients, intercepts] of known) {
      const { weights } = fit({ vectors, size: 2, labels }, 3, C)
      const bias = [2, 5, 8].map((i) => weights[i]!)
      const mean = bias.reduce((a, b) => a + b) / 3
      coefficients.flat().forEach((own, i) => {
        assert.closeTo(weights[Math.floor(i / 2) * 3 + i % 2]!, own, 2e-3 * Math.max(1, Math.abs(own)))
      })
      bias.forEach((own, c) => assert.closeTo(own - mean, intercepts[c]!, 5e-3))
    }
    assert.deepStrictEqual(classify(fit({ vectors, size: 2, labels }, 3, 1), vectors), labels)
  })
  it("is at the same minimum from wherever it starts", () => {
    const from = fit({ vectors, size: 2, labels }, 3, 100)
    const [a, b] = [fit({ vectors, size: 2, labels }, 3, 1), fit({ vectors, size: 2, labels }, 3, 1, from)]
    a.weights.forEach((own, i) => i % 3 < 2 && assert.closeTo(own, b.weights[i]!, 1e-3))
  })
  it("says what is most frequent where vectors tell nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 5, maxLength: 30 }), (own) => {
        const counts = [0, 1, 2].map((label) => own.filter((one) => one === label).length)
        const made = fitted({ vectors: new Float32Array(own.length).fill(1), size: 1, labels: own }, 3, 7)
        const [said] = classify(made, Float32Array.of(1))
        assert.strictEqual(counts[said!], Math.max(...counts))
      }),
      { numRuns: 20 }
    )
  })
  it("chooses a weak penalty where classes are far apart, and a strong one where labels are chance", () => {
    const key = Key.make(3)
    const made = (labelled: (i: number) => number) => {
      const own = Float32Array.from({ length: 120 }, (_, i) => Key.normal(key, i) / 10)
      const all = Array.from({ length: 60 }, (_, i) => labelled(i))
      all.forEach((label, i) => own[2 * i]! += labelled === alternating ? label - 0.5 : 0)
      return fitted({ vectors: own, size: 2, labels: all }, 2, 1)
    }
    const alternating = (i: number) => i % 2
    assert.isAbove(made(alternating).C, made((i) => Key.integer(Key.make(5), i, 2)).C)
  })
})
