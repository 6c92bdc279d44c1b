/** What ColBERT sees of a text: markers, augmentation by masks, and the tokens that do not count. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as ColbertText from "../../../src/runtime/retrieval/colbert/text.ts"

/** Words and punctuation marks by number, in a fixed order. */
const vocabulary = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "[unused0]",
  "[unused1]",
  ",",
  ".",
  "?",
  "a",
  "b",
  "c"
]
const id = (token: string): number => vocabulary.indexOf(token)
const encode = (text: string) => (text.match(/[abc]|[,.?]/g) ?? []).map(id)
const marks: ColbertText.Marks = {
  cls: id("[CLS]"),
  sep: id("[SEP]"),
  mask: id("[MASK]"),
  pad: id("[PAD]"),
  query: id("[unused0]"),
  doc: id("[unused1]"),
  skip: new Set([",", ".", "?"].map(id)),
  attendToMasks: false
}
const lengths = { query: 8, passage: 7 }
const text = ColbertText.make({ encode }, marks, lengths)
const named = (ids: ArrayLike<number>): string => Array.from(ids, (i) => vocabulary[i]).join(" ")

describe("a question", () => {
  it("is marked by [Q] and filled with masks up to its length", () => {
    const { ids, keep, length, mask, rows } = text.queries(["ab?"])
    assert.deepStrictEqual([rows, length], [1, 8])
    assert.strictEqual(named(ids), "[CLS] [unused0] a b ? [SEP] [MASK] [MASK]")
    assert.deepStrictEqual([...mask], [1, 1, 1, 1, 1, 1, 0, 0])
    assert.deepStrictEqual([...keep.subarray(5)], [1, 1, 1])
  })
  it("has masks that others attend to where the model was trained so", () => {
    const { mask } = ColbertText.make({ encode }, { ...marks, attendToMasks: true }, lengths).queries(["ab?"])
    assert.deepStrictEqual([...mask], [1, 1, 1, 1, 1, 1, 1, 1])
  })
  it("keeps [SEP] where it is cut", () => {
    assert.strictEqual(named(text.queries(["abcabcabc"]).ids), "[CLS] [unused0] a b c a b [SEP]")
  })
  it("is its own row among others", () => {
    const { ids } = text.queries(["a", "bc"])
    assert.strictEqual(named(ids.subarray(8)), named(text.queries(["bc"]).ids))
  })
})

describe("a passage", () => {
  it("is marked by [D], and cut at its length with [SEP] kept", () => {
    assert.strictEqual(named(text.passage("a,b")), "[CLS] [unused1] a , b [SEP]")
    assert.strictEqual(named(text.passage("abcabc")), "[CLS] [unused1] a b c a [SEP]")
  })
  it("does not count by its punctuation and padding, which may be attended to and may not", () => {
    const { ids, keep, mask } = text.passages([text.passage("a,b."), text.passage("c")], 8)
    assert.strictEqual(named(ids.subarray(8)), "[CLS] [unused1] c [SEP] [PAD] [PAD] [PAD] [PAD]")
    assert.deepStrictEqual([...mask], [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    assert.deepStrictEqual([...keep], [1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0])
  })
  it("is not attended to where it is padded, be the padding the masks that questions are filled with, as PyLate has it", () => {
    const own = ColbertText.make({ encode }, { ...marks, pad: marks.mask, attendToMasks: true }, lengths)
    const { ids, keep, mask } = own.passages([own.passage("c")], 6)
    assert.strictEqual(named(ids), "[CLS] [unused1] c [SEP] [MASK] [MASK]")
    assert.deepStrictEqual([[...mask], [...keep]], [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]])
    assert.deepStrictEqual([...own.queries(["a"]).keep], Array.from({ length: 8 }, () => 1))
  })
  it("is the same at every length it is padded to", () => {
    const content = fc.stringMatching(/^[abc,.?]{0,9}$/)
    fc.assert(fc.property(content, fc.integer({ min: 7, max: 20 }), (some, length) => {
      const tokens = text.passage(some)
      const { ids, keep, mask } = text.passages([tokens], length)
      assert.deepStrictEqual([...ids.subarray(0, tokens.length)], [...tokens])
      assert.strictEqual(mask.reduce((a, b) => a + b, 0), tokens.length)
      const counted = tokens.filter((token) => !",.?".includes(vocabulary[token]!)).length
      assert.strictEqual(keep.reduce((a, b) => a + b, 0), counted)
    }))
  })
})

describe("a line break", () => {
  it("is a space", () => {
    const seen: Array<string> = []
    const listening = { encode: (some: string) => (seen.push(some), []) }
    ColbertText.make(listening, marks, lengths).passage("a\nb")
    assert.deepStrictEqual(seen, ["a b"])
  })
})
