/** Rows for contrastive training, in the columns of sentence-transformers and FlagEmbedding. */
import { assert, describe, it } from "@effect/vitest"
import type { Notes } from "../../src/domain/records/fields.ts"
import { isPair, toPair, withIds } from "../../src/domain/records/pairs.ts"

const none: ReadonlySet<string> = new Set()
const noted = () => {
  const lines: Array<string> = []
  const notes: Notes = { unused: (field) => lines.push(`unused ${field}`), remark: (what) => lines.push(what) }
  return { lines, notes }
}

describe("a row of texts", () => {
  it("has an anchor, a positive and negatives, in columns or lists", () => {
    const pair = { id: undefined, anchor: "q", positives: ["p"], negatives: ["n", "m"], scores: undefined }
    for (
      const line of [
        { anchor: "q", positive: "p", negative_2: "m", negative_1: "n" },
        { anchor: "q", positive: "p", negative: ["n", "m"] },
        { query: "q", pos: ["p"], neg: ["n", "m"] },
        { question: "q", positives: ["p"], negatives: ["n", "m"] }
      ]
    ) {
      assert.isTrue(isPair(line))
      assert.deepStrictEqual(toPair(line, none), pair)
    }
    assert.isFalse(isPair({ question: "q", gold: ["p1"] }))
  })
  it("may have a teacher's scores, and a prompt, which is put before the query", () => {
    const line = { query: "q", pos: ["p"], neg: ["n"], pos_scores: [0.9], neg_scores: [0.1], prompt: "find: ", more: 1 }
    const { lines, notes } = noted()
    const { anchor, scores } = toPair(line, none, notes)
    assert.deepStrictEqual([anchor, scores, lines], ["find: q", [0.9, 0.1], ["unused more"]])
  })
  const refused: ReadonlyArray<readonly [object, RegExp]> = [
    [{ positive: "p" }, /anchor/],
    [{ anchor: "q", negative: "n" }, /is missing/],
    [{ anchor: "q", query: "r", positive: "p" }, /both given/],
    [{ anchor: "q", positive: "p", pos_scores: [1, 2] }, /2 scores for 1 texts/],
    [{ anchor: "q", positive: "p", negative_1: 3 }, /a text is expected/],
    [{ anchor: "q", positive: 3 }, /./]
  ]
  for (const [line, reason] of refused) {
    it(`is refused: ${JSON.stringify(line)}`, () => assert.throws(() => toPair(line, none), reason))
  }
  it("names its texts, once each; a negative that is a positive is left out, and told", () => {
    const { lines, notes } = noted()
    const pair = toPair({
      query: "q",
      pos: ["a", "a"],
      neg: ["b", "a", "b"],
      pos_scores: [3, 3],
      neg_scores: [1, 3, 1]
    }, none)
    const named = withIds(pair, (text) => `id-${text}`, notes)
    assert.deepStrictEqual(named, { gold: ["id-a"], negatives: ["id-b"], scores: { "id-a": 3, "id-b": 1 } })
    assert.match(lines.join(), /negative that is one of their positives/)
  })
})
