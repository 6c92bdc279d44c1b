/** Metrics against their formulas written out. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { compare, interval, mean, ndcgAt, recallAt, reciprocalRankAt } from "../../src/domain/Metric.ts"

const id = fc.nat(15).map(String)
const ranking = fc.tuple(
  fc.uniqueArray(id, { minLength: 1, maxLength: 12 }),
  fc.uniqueArray(id, { minLength: 1, maxLength: 5 }).map((relevant) => new Set(relevant)),
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
  it("the reciprocal rank is that of the first relevant among the first k, 0 where there is none", () => {
    fc.assert(fc.property(ranking, ([docs, relevant, k]) => {
      let place = Infinity
      for (let i = Math.min(k, docs.length); i >= 1; i--) if (relevant.has(docs[i - 1]!)) place = i
      assert.strictEqual(reciprocalRankAt(docs, relevant, k), 1 / place)
    }))
  })
  it("agree with an example worked by hand", () => {
    const [docs, relevant] = [["9", "3", "5"], new Set(["3", "5"])]
    assert.strictEqual(reciprocalRankAt(docs, relevant, 10), 1 / 2)
    assert.closeTo(ndcgAt(docs, relevant, 10), (1 / Math.log2(3) + 0.5) / (1 + 1 / Math.log2(3)), 1e-15)
    assert.strictEqual(recallAt(docs, relevant, 2), 0.5)
  })
})

/** Values with their groups. */
const observed = (values: ReadonlyArray<number>, groups: ReadonlyArray<string>) =>
  values.map((value, i) => ({ value, group: groups[i]! }))
const intervalOf = (values: ReadonlyArray<number>, groups: ReadonlyArray<string>) => {
  const found = interval(observed(values, groups))!
  return found as { readonly mean: number; readonly low: number; readonly high: number }
}

const cycle = (n: number, groups: number) => Array.from({ length: n }, (_, i) => `g${i % groups}`)

describe("interval", () => {
  it("holds the mean, and is the same again", () => {
    const outcome = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.nat(6)), { minLength: 2, maxLength: 40 })
      .filter((rows) => new Set(rows.map(([, g]) => g)).size > 1)
    fc.assert(
      fc.property(outcome, (rows) => {
        const [values, groups] = [rows.map(([v]) => v), rows.map(([, g]) => `g${g}`)]
        const { high, low, mean } = intervalOf(values, groups)
        assert.closeTo(mean, values.reduce<number>((a, b) => a + b, 0) / values.length, 1e-12)
        assert.isTrue(low >= Math.min(...values) && low <= high && high <= Math.max(...values))
        assert.deepStrictEqual(intervalOf(values, groups), { high, low, mean })
      }),
      { numRuns: 30 }
    )
  })
  it("is the normal one where every question is a group of its own", () => {
    const values = Array.from({ length: 400 }, (_, i) => i % 4 === 0 ? 1 : 0)
    const { high, low } = intervalOf(values, values.map((_, i) => String(i)))
    const half = 1.96 * Math.sqrt(0.25 * 0.75 / 400)
    assert.closeTo(high - 0.25, half, 0.15 * half)
    assert.closeTo(0.25 - low, half, 0.15 * half)
  })
  it("widens by the square root of the group size where groups agree with themselves", () => {
    const values = Array.from({ length: 400 }, (_, i) => (i % 40) % 4 === 0 ? 1 : 0)
    const wide = intervalOf(values, cycle(400, 40))
    const narrow = intervalOf(values, values.map((_, i) => String(i)))
    assert.closeTo((wide.high - wide.low) / (narrow.high - narrow.low), Math.sqrt(10), 0.5)
  })
  it("weighs questions, not groups", () => {
    const values = [...Array<number>(30).fill(1), 0, 0]
    const groups = [...Array<string>(30).fill("a"), "b", "c"]
    const { high, low, mean } = intervalOf(values, groups)
    assert.strictEqual(mean, 30 / 32)
    assert.strictEqual(high, 1)
    assert.strictEqual(low, 0)
  })
  it("has no bounds where there is one group, and is none of nothing", () => {
    assert.deepStrictEqual(interval(observed([1, 0], ["a", "a"])), { mean: 0.5, low: null, high: null })
    assert.isNull(interval([]))
  })
})

describe("a mean", () => {
  it("is of what is known, and none of nothing", () => {
    assert.strictEqual(mean([1, null, 0]), 0.5)
    assert.isNull(mean([null, null]))
    assert.isNull(mean([]))
  })
})

describe("compare", () => {
  const groups = cycle(120, 60)
  const noise = Array.from({ length: 120 }, (_, i) => (i * 37 % 11) / 11)
  const keyed = (values: ReadonlyArray<number>, own = groups) =>
    observed(values, own).map(({ group, value }, i) => ({ group, value, key: `q${i}` }))
  const compared = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => {
    const found = compare(keyed(a), keyed(b))
    assert.isNotNull(found)
    assert.notProperty(found, "unpaired")
    return found as { readonly mean: number; readonly low: number; readonly high: number; readonly p: number }
  }
  it("sees a difference that is always there, whatever the questions' own spread", () => {
    const { high, low, mean, p } = compared(noise, noise.map((x) => x + 0.01))
    assert.closeTo(mean, 0.01, 1e-12)
    assert.closeTo(low, 0.01, 1e-9)
    assert.closeTo(high, 0.01, 1e-9)
    assert.isBelow(p, 0.01)
  })
  it("sees none where there is none", () => {
    const flipped = noise.map((x, i) => i % 4 < 2 ? x + 0.1 : x - 0.1)
    const { high, low, p } = compared(noise, flipped)
    assert.isTrue(low < 0 && high > 0)
    assert.isAbove(p, 0.3)
    assert.strictEqual(compared(noise, noise).p, 1)
  })
  it("is the other way round with the sides exchanged", () => {
    const other = noise.map((x, i) => x + (i % 7) / 70)
    const [there, back] = [compared(noise, other), compared(other, noise)]
    assert.closeTo(there.mean, -back.mean, 1e-12)
    assert.closeTo(there.p, back.p, 1e-12)
  })
  it("pairs by key: the order of one side does not matter", () => {
    const other = noise.map((x, i) => x + (i % 7) / 70)
    assert.deepStrictEqual(compare(keyed(noise).toReversed(), keyed(other)), compare(keyed(noise), keyed(other)))
  })
  it("names what cannot be paired: what one side lacks, or has in another group", () => {
    const all = keyed(noise)
    assert.deepStrictEqual(compare(all.slice(1), all), { unpaired: ["q0"] })
    assert.deepStrictEqual(compare(all, all.slice(2)), { unpaired: ["q0", "q1"] })
    assert.deepStrictEqual(compare(all, [{ ...all[0]!, group: "other" }, ...all.slice(1)]), { unpaired: ["q0"] })
  })
  it("has no interval and no p where there is one group, and is none of nothing", () => {
    const [a, b] = [keyed([0, 1], ["g", "g"]), keyed([1, 1], ["g", "g"])]
    assert.deepStrictEqual(compare(a, b), { mean: 0.5, low: null, high: null, p: null })
    assert.isNull(compare([], []))
  })
})
