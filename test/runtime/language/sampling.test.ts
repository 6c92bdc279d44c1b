import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Key from "../../../src/domain/Key.ts"
import { choose, type Sampling, unusable } from "../../../src/runtime/language/generation/sampling.ts"

const plain: Sampling = { do_sample: true, temperature: 1, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1 }

/** The distribution by Hugging Face's definitions, written out: temperature, then top-k, then top-p, then min-p. */
const distribution = (
  logits: ReadonlyArray<number>,
  { min_p, temperature, top_k, top_p }: Sampling
): ReadonlyArray<number> => {
  const softmax = (x: ReadonlyArray<number>) => {
    const total = x.reduce((sum, v) => sum + Math.exp(v), 0)
    return x.map((v) => Math.exp(v) / total)
  }
  const scaled = logits.map((x) => x / temperature)
  const kth = scaled.toSorted((a, b) => b - a)[Math.min(top_k || logits.length, logits.length) - 1]!
  const kept = scaled.map((x) => x < kth ? -Infinity : x)
  const share = softmax(kept)
  const ascending = [...kept.keys()].toSorted((a, b) => kept[a]! - kept[b]!)
  let sum = 0
  const dropped = new Set(
    ascending.filter((i) => (sum += share[i]!) <= 1 - top_p).filter((i) => i !== ascending.at(-1))
  )
  const nucleus = kept.map((x, i) => dropped.has(i) ? -Infinity : x)
  const likely = softmax(nucleus)
  const least = min_p * Math.max(...likely)
  return softmax(nucleus.map((x, i) => likely[i]! < least ? -Infinity : x))
}

/** Σ (observed - expected)² / expected over what is possible; Infinity where the impossible was drawn. */
const chiSquare = (counts: ReadonlyArray<number>, share: ReadonlyArray<number>): number => {
  const n = counts.reduce((a, b) => a + b, 0)
  return counts.reduce(
    (sum, c, i) => sum + (share[i] === 0 ? c === 0 ? 0 : Infinity : (c - n * share[i]!) ** 2 / (n * share[i]!)),
    0
  )
}

const logits = [1.2, -0.3, 0.4, 2.1, 0.4, -1.5, 0.9, 1.7]
const DRAWS = 20_000

const draws = (sampling: Sampling, from = logits): ReadonlyArray<number> => {
  const key = Key.make(11)
  const counts = from.map(() => 0)
  for (let i = 0; i < DRAWS; i++) counts[choose(Float32Array.from(from), [], sampling, () => Key.uniform(key, i))]!++
  return counts
}

/** The 99.9% quantile of χ² with 7 degrees of freedom. */
const BOUND = 24.3

describe("sampling", () => {
  const settings: ReadonlyArray<Partial<Sampling>> = [
    {},
    { temperature: 0.6 },
    { temperature: 2 },
    { top_k: 3 },
    { top_k: 1 },
    { top_k: 50 },
    { top_p: 0.7 },
    { top_p: 0.01 },
    { temperature: 0.7, top_k: 5, top_p: 0.8 },
    { min_p: 0.3 },
    { min_p: 1 },
    { temperature: 1.5, top_k: 6, top_p: 0.9, min_p: 0.2 }
  ]
  for (const some of settings) {
    const sampling = { ...plain, ...some }
    it(`draws from the distribution of ${JSON.stringify(some)}`, () =>
      assert.isBelow(chiSquare(draws(sampling), distribution(logits, sampling)), BOUND))
  }
  it("is told apart from a distribution that is not its own", () =>
    assert.isAbove(chiSquare(draws({ ...plain, temperature: 1.1 }), distribution(logits, plain)), BOUND))
  it("keeps those that tie with the last of the k likeliest", () => {
    const counts = draws({ ...plain, top_k: 5 })
    assert.deepStrictEqual(counts.map((c) => c > 0), [true, false, true, true, true, false, true, true])
  })
  it("takes the first of the likeliest where it does not draw", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 9 }), (values) => {
      const got = choose(Float32Array.from(values), [], { ...plain, do_sample: false }, () => 0.5)
      assert.strictEqual(got, values.indexOf(Math.max(...values)))
    }))
  })
  it("never draws what the settings leave out", () => {
    const values = fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 9 })
    const some = fc.record({
      temperature: fc.constantFrom(0.5, 1, 3),
      top_k: fc.integer({ min: 0, max: 10 }),
      top_p: fc.constantFrom(0.2, 0.5, 0.9, 1),
      min_p: fc.constantFrom(0, 0.05, 0.5)
    })
    fc.assert(fc.property(values, some, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (x, how, u) => {
      const sampling = { ...plain, ...how }
      assert.isAbove(distribution(x, sampling)[choose(Float32Array.from(x), [], sampling, () => u)]!, 0)
    }))
  })
  it("makes tokens of the text less likely: positive logits divided, negative ones multiplied, each once", () => {
    const penal = { ...plain, do_sample: false, repetition_penalty: 2 }
    assert.strictEqual(choose(Float32Array.of(3, 2), [0, 0], penal, () => 0), 1)
    assert.strictEqual(choose(Float32Array.of(3, 1), [0, 0], penal, () => 0), 0)
    assert.strictEqual(choose(Float32Array.of(-1, -1.5), [0], penal, () => 0), 1)
  })
  it("has nothing to choose from where logits are no numbers, or all are impossible", () => {
    assert.strictEqual(unusable(Float32Array.of(1, -Infinity, 2)), undefined)
    assert.match(unusable(Float32Array.of(1, NaN, 2))!, /logit of token 1 is NaN/)
    assert.match(unusable(Float32Array.of(1, 2, Infinity))!, /logit of token 2 is Infinity/)
    assert.match(unusable(Float32Array.of(-Infinity, -Infinity))!, /no token is left/)
  })
})
