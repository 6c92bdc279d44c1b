/** Drawing by Gumbel noise against the definition: sequential draws by weight, without replacement. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../src/domain/Key.ts"
import { gumbelTopK, scaledScores } from "../../src/stages/sample.ts"

/** Every ordered draw of `m` places with its probability, by the definition. */
const draws = (logits: ReadonlyArray<number>, m: number): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  const go = (taken: ReadonlyArray<number>, p: number): void => {
    if (taken.length === m) return void found.set(taken.join(), p)
    const left = [...logits.keys()].filter((i) => !taken.includes(i))
    const total = left.reduce((sum, i) => sum + Math.exp(logits[i]!), 0)
    for (const i of left) go([...taken, i], p * Math.exp(logits[i]!) / total)
  }
  go([], 1)
  return found
}

/** Pearson's statistic of `runs` draws by `drawn` against what `stated` says of them. */
const chiSquare = (drawn: ReadonlyArray<number>, stated: ReadonlyArray<number>, m: number, runs: number): number => {
  const seen = new Map<string, number>()
  for (let run = 0; run < runs; run++) {
    const places = gumbelTopK(Float64Array.from(drawn), m, Key.fold(Key.make(7), "run", run))
    seen.set(places.join(), (seen.get(places.join()) ?? 0) + 1)
  }
  return [...draws(stated, m)].reduce((sum, [draw, p]) => {
    const expected = runs * p
    return sum + ((seen.get(draw) ?? 0) - expected) ** 2 / expected
  }, 0)
}

/** As scores in [-1, 1] become at temperatures down to 0.001. */
const logits = fc.tuple(
  fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }),
  fc.constantFrom(1, 0.1, 0.01, 0.001)
).map(([scores, temperature]) => scores.map((s) => s / temperature))

describe("gumbelTopK", () => {
  // Critical values of the chi-square distribution at p = 0.0001.
  for (
    const [name, scores, m, critical] of [
      ["ordered pairs of four", [1, 0.2, -0.5, -1], 2, 37.4],
      ["whole orders of three", [0.9, 0, -0.9], 3, 25.7],
      ["ordered pairs of four that weigh the same", [0, 0, 0, 0], 2, 37.4]
    ] as const
  ) {
    it(`draws ${name} as often as sequential draws by weight do`, () => {
      assert.isBelow(chiSquare(scores, scores, m, 20000), critical)
    })
  }
  it("would be told from draws by weights that are a tenth flatter", () => {
    const scores = [1, 0.2, -0.5, -1]
    assert.isAbove(chiSquare(scores.map((s) => 0.9 * s), scores, 2, 20000), 37.4)
  })
  it("never draws a place twice", () => {
    fc.assert(fc.property(logits, fc.nat(), fc.nat(), (scores, seed, extra) => {
      const m = 1 + extra % scores.length
      const places = gumbelTopK(Float64Array.from(scores), m, Key.make(seed))
      assert.strictEqual(new Set(places).size, m)
      assert.isTrue(places.every((place) => place >= 0 && place < scores.length))
    }))
  })
  it("depends on nothing but the logits and the key", () => {
    const scores = Float64Array.of(1, 2, 3, 4)
    const again = () => gumbelTopK(scores, 3, Key.fold(Key.make(3), "sample", 5, "q"))
    assert.deepStrictEqual(again(), again())
  })
})

describe("scaledScores", () => {
  it("runs from -1 to 1 whatever the scores' scale and origin", () => {
    const distinct = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(distinct, fc.integer({ min: 1, max: 4 }), fc.integer({ min: -9, max: 9 }), (scores, by, to) => {
        const scaled = scaledScores(Float32Array.from(scores))
        assert.strictEqual(Math.min(...scaled), -1)
        assert.strictEqual(Math.max(...scaled), 1)
        const moved = scaledScores(Float32Array.from(scores, (s) => s * by + to))
        scaled.forEach((s, i) => assert.closeTo(moved[i]!, s, 1e-12))
      })
    )
  })
  it("is 0 where all scores are equal", () => {
    assert.deepStrictEqual([...scaledScores(Float32Array.of(3, 3, 3))], [0, 0, 0])
  })
})
