/** Names of concepts in texts: what is one name, which is the longest, what is ambiguous; and F. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { conceptF } from "../../../src/domain/concepts/conceptF.ts"
import { hashTable } from "../../../src/domain/concepts/hashTable.ts"
import { matcher, type MatcherOptions } from "../../../src/domain/concepts/matcher.ts"
import { singular, tokensOf } from "../../../src/domain/concepts/normalise.ts"

const plain: MatcherOptions = { stopWords: new Set(), exclude: [] }
const names = (pairs: ReadonlyArray<readonly [concept: string, name: string]>, o = plain) => {
  const own = matcher(o)
  for (const [concept, name] of pairs) own.add(concept, name)
  return own
}
const found = (own: ReturnType<typeof names>, text: string) =>
  own.find(text).map(({ concepts, end, start }) => [text.slice(start, end)].concat(concepts))

describe("a text's names", () => {
  const vocabulary = names([
    ["C1", "Colon cancer"],
    ["C2", "Cancer"],
    ["C3", "Gaucher disease"],
    ["C3", "GD"],
    ["C4", "Adenomatous Polyposis Coli"],
    ["C4", "APC"],
    ["C5", "Neoplasm of colon, malignant"],
    ["C6", "All"],
    ["C7", "ALL"]
  ])
  it("are the longest at each place, from left to right", () => {
    assert.deepStrictEqual(found(vocabulary, "Colon cancers and other cancers"), [["Colon cancers", "C1"], [
      "cancers",
      "C2"
    ]])
    assert.deepStrictEqual(found(vocabulary, "colon, cancer"), [["colon, cancer", "C1"]])
  })
  it("are compared without case, number, possessive and punctuation", () => {
    assert.deepStrictEqual(found(vocabulary, "GAUCHER'S DISEASES; Gaucher’s disease (neoplasm of colon malignant)"), [
      ["GAUCHER'S DISEASES", "C3"],
      ["Gaucher’s disease", "C3"],
      ["neoplasm of colon malignant", "C5"]
    ])
  })
  it("are with their capitals if they are abbreviations", () => {
    assert.deepStrictEqual(found(vocabulary, "ALL of all apc, APC"), [["ALL", "C7"], ["all", "C6"], ["APC", "C4"]])
  })
  it("stand for several concepts where they are ambiguous, which is counted", () => {
    const own = names([["A", "cold"], ["B", "Colds"], ["A", "Cold"], ["C", "x"], ["D", "12"]])
    assert.deepStrictEqual(found(own, "a cold"), [["cold", "A", "B"]])
    const { ambiguous, concepts, names: count, short } = own.counts()
    assert.deepStrictEqual([ambiguous, concepts, count, short], [1, 4, 1, 2])
  })
  it("go over stop words, and leave out what is excluded", () => {
    const o = { stopWords: new Set(["of", "the"]), exclude: ["Diseases"] }
    const own = names([["C", "Cancer of the breast"], ["D", "disease"]], o)
    assert.deepStrictEqual(found(own, "cancer of breast disease"), [["cancer of breast", "C"]])
    assert.deepStrictEqual(found(own, "breast cancer"), [])
  })
  it("are at their places in the text, whatever they are", () => {
    fc.assert(fc.property(fc.array(fc.stringMatching(/^[a-z]{3,8}$/), { minLength: 1, maxLength: 6 }), (words) => {
      const own = names([["X", words.join(" ")]])
      const text = `__ ${words.join("-").toUpperCase()} __`
      const [first] = tokensOf(words[0]!, plain)
      const short = words.some((word) => word.length <= 5) || first === undefined
      const [mention] = own.find(text.toLowerCase())
      assert.isTrue(short || mention !== undefined)
      if (mention) assert.strictEqual(text.slice(mention.start, mention.end).toLowerCase(), words.join("-"))
    }))
  })
  it("have singulars by Harman's rules", () => {
    assert.deepStrictEqual(
      ["bodies", "diseases", "abscess", "virus", "cancers", "toes", "gas"].map(singular),
      ["body", "disease", "abscess", "virus", "cancer", "toes", "gas"]
    )
  })
})

it("a hash table has what was put into it, and is a few bytes a text", () => {
  const table = hashTable()
  for (let i = 0; i < 50_000; i++) table.set(`name ${i}`, i)
  table.set("name 7", 9)
  assert.strictEqual(table.size(), 50_000)
  for (let i = 0; i < 50_000; i++) assert.strictEqual(table.get(`name ${i}`), i === 7 ? 9 : i)
  assert.strictEqual(table.get("another"), -1)
  assert.isAtMost(table.bytes(), 36 * 50_000)
})

describe("concept-F", () => {
  const of = (...concepts: ReadonlyArray<string>) => concepts.map((own) => ({ concepts: own.split("+") }))
  it("is precision and recall of distinct concepts", () => {
    const { answer, f, precision, recall, reference } = conceptF(of("A", "A", "B", "C"), of("A", "D"))
    assert.deepStrictEqual([answer, reference, precision, recall], [3, 2, 1 / 3, 1 / 2])
    assert.closeTo(f, 0.4, 1e-12)
  })
  it("counts an ambiguous name as one concept, right if any of its meanings is", () => {
    const { ambiguous, precision, recall } = conceptF(of("A+B", "C"), of("B"))
    assert.deepStrictEqual([precision, recall, ambiguous], [0.5, 1, 1])
  })
  it("is 0 where it is undefined", () => {
    assert.strictEqual(conceptF([], of("A")).f, 0)
    assert.strictEqual(conceptF([], []).f, 0)
  })
})
