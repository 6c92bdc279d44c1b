/** Words that texts have in common. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { nearDuplicates } from "../../src/domain/texts/nearDuplicates.ts"
import { contains, jaccard, likeness, sharesRun, shingles, wordsOf } from "../../src/domain/texts/overlap.ts"

const words = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 20 }).map((own) => own.join(" "))

describe("words", () => {
  it("are what is between blanks and marks, lower-case, and each character where there are no blanks", () => {
    assert.deepStrictEqual(wordsOf("GBA1-related, type ２: “mild”"), ["gba1", "related", "type", "2", "mild"])
    assert.deepStrictEqual(wordsOf("戈谢病 GBA1"), ["戈", "谢", "病", "gba1"])
    assert.deepStrictEqual(wordsOf(" ... "), [])
  })
  it("make runs", () => {
    assert.deepStrictEqual([...shingles(["a", "b", "c"], 2)], ["a b", "b c"])
    assert.deepStrictEqual([...shingles(["a"], 2)], ["a"])
    assert.deepStrictEqual([...shingles([], 2)], [])
  })
})

describe("likeness", () => {
  it("is the share of runs that both have", () => {
    assert.strictEqual(jaccard(new Set(["a", "b", "c"]), new Set(["b", "c", "d"])), 0.5)
    /** Two of four runs: a-e and b-f are shared, c-g and c-h are not. */
    assert.strictEqual(likeness("a b c d e f g", "a b c d e f h"), 0.5)
  })
  it("is symmetric, 1 of a text with itself, and 0 without words", () => {
    fc.assert(fc.property(words, words, (a, b) => {
      assert.strictEqual(likeness(a, b), likeness(b, a))
      assert.strictEqual(likeness(a, a), a === "" ? 0 : 1)
      assert.strictEqual(likeness(a, "!"), 0)
    }))
  })
})

describe("containing", () => {
  it("is of whole words in a row", () => {
    assert.isTrue(contains("Variants in GBA1 (1q22).", "gba1"))
    assert.isFalse(contains("Variants in GBA12.", "GBA1"))
    assert.isFalse(contains("anything", "?"))
    assert.isTrue(sharesRun("x a b c y", "z a b c", 3))
    assert.isFalse(sharesRun("x a b y c", "z a b c", 3))
    assert.isFalse(sharesRun("a b", "a b", 3))
  })
})

describe("near-duplicates", () => {
  /** A text of fifty words, some of which are changed. */
  const text = (seed: number, changed: ReadonlyArray<number> = []) =>
    Array.from(
      { length: 50 },
      (_, i) => `w${(seed * seed + 31 * i * (seed + 1)) % 997}${changed.includes(i) ? "x" : ""}`
    ).join(" ")
  const originals = Array.from({ length: 300 }, (_, seed) => text(seed))

  it("are found among many texts if they share four of five runs, with their likeness", () => {
    const near = nearDuplicates()
    originals.forEach(near.add)
    for (const [seed, original] of originals.entries()) {
      const copy = text(seed, [seed % 3])
      assert.isAtLeast(likeness(copy, original), 0.8)
      assert.deepStrictEqual(near.find(copy, 0.8), { at: seed, likeness: likeness(copy, original) })
    }
  })
  it("are not texts that are less alike", () => {
    const near = nearDuplicates()
    originals.forEach(near.add)
    for (const seed of originals.keys()) {
      const copy = text(seed, [10, 30])
      assert.isBelow(likeness(copy, originals[seed]!), 0.8)
      assert.isUndefined(near.find(copy, 0.8))
    }
    assert.isUndefined(near.find("", 0))
    assert.isUndefined(nearDuplicates().find("a b c", 0.1))
  })
  it("may be added after a search", () => {
    const near = nearDuplicates()
    near.add("a b c d e f")
    assert.isUndefined(near.find("g h i", 0.5))
    near.add("g h i")
    assert.deepStrictEqual(near.find("G, h: i", 0.5), { at: 1, likeness: 1 })
  })
})
