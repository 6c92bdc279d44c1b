/** Figures of predicted classes, by hand and as scikit-learn 1.7 gives them. */
import { assert, describe, it } from "@effect/vitest"
import { auc, balancedAccuracy, macroF1 } from "../../../src/domain/statistics/classification.ts"

const of = (right: ReadonlyArray<number>, predicted: ReadonlyArray<number>) =>
  right.map((own, i) => ({ right: own, predicted: predicted[i]! }))

describe("classification", () => {
  it("averages F1 over the right classes; no class is a wrong prediction", () => {
    assert.closeTo(macroF1(of([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, -1, 0])), 0.388889, 1e-6)
  })
  it("averages recall over the right classes", () => {
    assert.closeTo(balancedAccuracy(of([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, -1, 0])), (2 / 3 + 1 / 2 + 0) / 3, 1e-12)
  })
  it("ranks positives above negatives, ties counting half", () => {
    assert.strictEqual(auc([0.1, 0.4, 0.35, 0.8], [false, false, true, true]), 0.75)
    assert.strictEqual(auc([1, 1, 1], [true, false, true]), 0.5)
    assert.strictEqual(auc([1, 2], [true, true]), null)
  })
})
