/** Metrics against their formulas written out. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compare, firstRelevant, interval, ndcgAt, recallAt } from "../../src/domain/Metric.ts"

const ranking = fc.tuple(
  fc.uniqueArray(fc.nat(15), { minLength: 1, maxLength: 12 }),
  fc.uniqueArray(fc.nat(15), { minLength: 1, maxLength: 5 }).map((relevant) => new Set(relevant)),
  fc.integer({ min: 1, max: 12 })
)

describe("ranking metrics", () => {
  it("recall counts the relevant among the first k", () => {
    fc.assert(fc.property(ranking, ([docs, relevant, k]) => {
      let hits = 0
      for (let i = 0; i < Math.min(k, docs.length); i++) if (relevant.has(docs[i]!)) hits++
      assert.strictEqual(recallAt(docs, relevant, k), hits / relevant.size)
    }))
  })
  it("ndcg is DCG over the DCG of the best order there is", () => {
    fc.assert(fc.property(ranking, ([docs, relevant, k]) => {
      let [dcg, ideal] = [0, 0]
      for (let i = 1; i <= k; i++) {
        if (relevant.has(docs[i - 1]!)) dcg += 1 / (Math.log(i + 1) / Math.log(2))
        if (i <= relevant.size) ideal += 1 / (Math.log(i + 1) / Math.log(2))
      }
      assert.closeTo(ndcgAt(docs, relevant, k), dcg / ideal, 1e-12)
    }))
  })
  it("the first relevant is counted from 1, and infinitely far where there is none", () => {
    fc.assert(fc.property(ranking, ([docs, relevant]) => {
      let place = Infinity
      for (let i = docs.length; i >= 1; i--) if (relevant.has(docs[i - 1]!)) place = i
      assert.strictEqual(firstRelevant(docs, relevant), place)
    }))
  })
  it("agree with an example worked by hand", () => {
    const relevant = new Set([3, 5])
    assert.strictEqual(firstRelevant(Int32Array.of(9, 3, 5), relevant), 2)
    assert.closeTo(ndcgAt([9, 3, 5], relevant, 10), (1 / Math.log2(3) + 0.5) / (1 + 1 / Math.log2(3)), 1e-15)
    assert.strictEqual(recallAt([9, 3, 5], relevant, 2), 0.5)
  })
})

const cycle = (n: number, groups: number) => Array.from({ length: n }, (_, i) => `g${i % groups}`)

describe("interval", () => {
  it("holds the mean, and is the same again", () => {
    const outcome = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.nat(6)), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(outcome, (rows) => {
        const [values, groups] = [rows.map(([v]) => v), rows.map(([, g]) => `g${g}`)]
        const { high, low, mean } = interval(values, groups)
        assert.closeTo(mean, values.reduce<number>((a, b) => a + b, 0) / values.length, 1e-12)
        assert.isTrue(low >= Math.min(...values) && low <= high && high <= Math.max(...values))
        assert.deepStrictEqual(interval(values, groups), { high, low, mean })
      }),
      { numRuns: 30 }
    )
  })
  it("is the normal one where every question is a group of its own", () => {
    const values = Array.from({ length: 400 }, (_, i) => i % 4 === 0 ? 1 : 0)
    const { high, low } = interval(values, values.map((_, i) => String(i)))
    const half = 1.96 * Math.sqrt(0.25 * 0.75 / 400)
    assert.closeTo(high - 0.25, half, 0.15 * half)
    assert.closeTo(0.25 - low, half, 0.15 * half)
  })
  it("widens by the square root of the group size where groups agree with themselves", () => {
    const values = Array.from({ length: 400 }, (_, i) => (i % 40) % 4 === 0 ? 1 : 0)
    const wide = interval(values, cycle(400, 40))
    const narrow = interval(values, values.map((_, i) => String(i)))
    assert.closeTo((wide.high - wide.low) / (narrow.high - narrow.low), Math.sqrt(10), 0.5)
  })
  it("weighs questions, not groups", () => {
    const values = [...Array<number>(30).fill(1), 0, 0]
    const groups = [...Array<string>(30).fill("a"), "b", "c"]
    const { high, low, mean } = interval(values, groups)
    assert.strictEqual(mean, 30 / 32)
    assert.strictEqual(high, 1)
    assert.strictEqual(low, 0)
  })
  it("is a point where there is one group", () => {
    assert.deepStrictEqual(interval([1, 0], ["a", "a"]), { mean: 0.5, low: 0.5, high: 0.5 })
  })
})

describe("compare", () => {
  const groups = cycle(120, 60)
  const noise = Array.from({ length: 120 }, (_, i) => (i * 37 % 11) / 11)
  it("sees a difference that is always there, whatever the questions' own spread", () => {
    const { high, low, mean, p } = compare(noise, noise.map((x) => x + 0.01), groups)
    assert.closeTo(mean, 0.01, 1e-12)
    assert.closeTo(low, 0.01, 1e-9)
    assert.closeTo(high, 0.01, 1e-9)
    assert.isBelow(p, 0.01)
  })
  it("sees none where there is none", () => {
    const flipped = noise.map((x, i) => i % 4 < 2 ? x + 0.1 : x - 0.1)
    const { high, low, p } = compare(noise, flipped, groups)
    assert.isTrue(low < 0 && high > 0)
    assert.isAbove(p, 0.3)
    assert.strictEqual(compare(noise, noise, groups).p, 1)
  })
  it("is the other way round with the sides exchanged", () => {
    const other = noise.map((x, i) => x + (i % 7) / 70)
    const [there, back] = [compare(noise, other, groups), compare(other, noise, groups)]
    assert.closeTo(there.mean, -back.mean, 1e-12)
    assert.closeTo(there.p, back.p, 1e-12)
  })
})
