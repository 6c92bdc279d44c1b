/** CMA-ES on functions whose minima are known, and the eigenvectors that it samples along. */
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Key from "../../../src/domain/Key.ts"
import { cmaEs, populationOf } from "../../../src/domain/search/cmaEs.ts"
import { eigen } from "../../../src/domain/search/eigen.ts"

type Vector = ReadonlyArray<number>

/** The mean, and the number of samples, once the spread is below `enough`. */
const minimised = (f: (x: Vector) => number, mean: Vector, sigma: number, seed: number, enough = 1e-7) => {
  const search = cmaEs({ mean, sigma, key: Key.make(seed) })
  let samples = 0
  while (search.spread() > enough && samples < 20_000) {
    const asked = search.ask()
    samples += asked.length
    search.tell(asked.map(f))
  }
  return { mean: search.mean(), samples }
}

const sphere = (x: Vector) => x.reduce((sum, own, i) => sum + (own - i) ** 2, 0)
const ellipsoid = (x: Vector) => x.reduce((sum, own, i) => sum + 1e4 ** (i / (x.length - 1)) * (own - 1) ** 2, 0)
const rosenbrock = (x: Vector) =>
  x.slice(1).reduce((sum, own, i) => sum + 100 * (own - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2, 0)

describe("CMA-ES", () => {
  it("finds the minimum of a sphere, in one dimension too", () => {
    for (const n of [1, 2, 5]) {
      const { mean, samples } = minimised(sphere, Array.from({ length: n }, () => 3), 0.5, n)
      mean.forEach((x, i) => assert.closeTo(x, i, 1e-5))
      assert.isBelow(samples, 500 * n)
    }
  })
  it("learns scales that differ by a factor of a hundred", () => {
    const { mean, samples } = minimised(ellipsoid, [3, 3, 3, 3], 1, 7)
    for (const x of mean) assert.closeTo(x, 1, 1e-4)
    assert.isBelow(samples, 4000)
  })
  it("follows the bent valley of Rosenbrock's function", () => {
    for (const seed of [1, 2, 3]) {
      const { mean, samples } = minimised(rosenbrock, [-1, 1, -1, 1], 0.3, seed)
      for (const x of mean) assert.closeTo(x, 1, 1e-3)
      assert.isBelow(samples, 8000)
    }
  })
  it("samples as its key says, and 4 + 3 ln n at a time", () => {
    const asked = (seed: number) => cmaEs({ mean: [0, 0, 0], sigma: 1, key: Key.make(seed) }).ask()
    assert.deepStrictEqual(asked(1), asked(1))
    assert.notDeepEqual(asked(1), asked(2))
    assert.deepStrictEqual([asked(1).length, populationOf(1), populationOf(4), populationOf(10)], [7, 4, 8, 10])
  })
})

describe("eigenvectors", () => {
  it("rebuild a symmetric matrix, and are orthonormal", () => {
    const entries = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 25, maxLength: 25 })
    fc.assert(fc.property(entries, fc.integer({ min: 1, max: 5 }), (x, n) => {
      const matrix = Array.from(
        { length: n },
        (_, i) => Array.from({ length: n }, (_, j) => x[5 * Math.min(i, j) + Math.max(i, j)]!)
      )
      const { values, vectors } = eigen(matrix)
      matrix.forEach((row, i) =>
        row.forEach((own, j) => {
          const built = values.reduce((sum, value, k) => sum + value * vectors[k]![i]! * vectors[k]![j]!, 0)
          assert.closeTo(built, own, 1e-9)
          const product = vectors[i]!.reduce((sum, a, k) => sum + a * vectors[j]![k]!, 0)
          assert.closeTo(product, i === j ? 1 : 0, 1e-9)
        })
      )
    }))
  })
})
