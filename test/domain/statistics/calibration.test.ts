/** Brier's score and reliability, by hand. */
import { assert, describe, it } from "@effect/vitest"
import {
  brier,
  expectedCalibrationError,
  probabilitiesOf,
  reliability
} from "../../../src/domain/statistics/calibration.ts"

const forecast = (right: number, ...probabilities: ReadonlyArray<number>) => ({ probabilities, right })

describe("calibration", () => {
  it("makes probabilities of likelihoods, however unlikely", () => {
    const [a, b] = probabilitiesOf([1000, 1000 + Math.log(3)])
    assert.closeTo(a!, 0.75, 1e-12)
    assert.closeTo(b!, 0.25, 1e-12)
  })
  it("sums squared errors over options", () => {
    assert.closeTo(brier(forecast(0, 0.5, 0.3, 0.2)), 0.25 + 0.09 + 0.04, 1e-12)
    assert.strictEqual(brier(forecast(1, 1, 0)), 2)
    assert.strictEqual(brier(forecast(0, 1, 0)), 0)
  })
  it("weighs the bins by their questions", () => {
    const bins = reliability([
      forecast(0, 0.9, 0.1),
      forecast(1, 0.84, 0.16),
      forecast(0, 0.55, 0.45),
      forecast(0, 1, 0)
    ])
    assert.deepStrictEqual(bins.map(({ high, low, questions }) => [low, high, questions]), [
      [0.5, 0.6, 1],
      [0.8, 0.9, 2],
      [0.9, 1, 1]
    ])
    assert.closeTo(bins[1]!.confidence, 0.87, 1e-12)
    assert.strictEqual(bins[1]!.accuracy, 0.5)
    assert.closeTo(expectedCalibrationError(bins), (0.45 + 2 * 0.37 + 0) / 4, 1e-12)
  })
})
