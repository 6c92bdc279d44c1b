/** Near-duplicates by MinHash against every pair compared, and labelled lines. */
import { assert, describe, it } from "@effect/vitest"
import * as Key from "../../src/domain/Key.ts"
import { isGrounded } from "../../src/domain/synthesis/grounding.ts"
import { optionsWith, sameAnswer } from "../../src/domain/synthesis/options.ts"
import { Duplicates, rowsFor } from "../../src/domain/texts/duplicates.ts"
import { instructions, type Label, read } from "../../src/domain/texts/labelled.ts"
import { jaccard, shingles, wordsOf } from "../../src/domain/texts/overlap.ts"

/** Texts of which many are others with some words exchanged. */
const texts = (count: number): ReadonlyArray<string> => {
  const found: Array<Array<string>> = []
  for (let i = 0; i < count; i++) {
    const key = Key.fold(Key.make(7), i)
    const base = i % 3 > 0 ? found[Key.integer(key, 0, i)]! : Array.from({ length: 30 }, (_, j) => `w${i}x${j}`)
    const changes = Key.integer(key, 1, 6)
    const own = [...base]
    for (let c = 0; c < changes; c++) own[Key.integer(key, 2 + c, own.length)] = `n${i}y${c}`
    found.push(own)
  }
  return found.map((own) => own.join(" "))
}

describe("near-duplicates", () => {
  it.each([[0.9, 2], [0.8, 5], [0.5, 2], [0.3, 3]])(
    "above %f by runs of %i words are those of all pairs",
    (most, width) => {
      const all = texts(200)
      const own = new Duplicates(most, width)
      const kept: Array<ReadonlySet<string>> = []
      const expected = all.map((text) => {
        const runs = shingles(wordsOf(text), width)
        if (kept.some((other) => jaccard(runs, other) > most)) return true
        kept.push(runs)
        return false
      })
      assert.deepStrictEqual(all.map((text) => own.seen(text)), expected)
      assert.isAbove(expected.filter(Boolean).length, 5)
      assert.isAbove(kept.length, 60)
    }
  )
  it("are not looked for among texts without words", () => {
    const own = new Duplicates(0.5, 2)
    assert.deepStrictEqual(["?", "?", "A b", "a  B!"].map((text) => own.seen(text)), [false, false, false, true])
  })
  it("have bands of as many rows as miss one in a million at most", () => {
    for (const index of [0.95, 0.8, 0.6, 0.4, 0.2]) {
      const rows = rowsFor(index)
      assert.isAtMost((1 - index ** rows) ** (128 / rows), 1e-6)
    }
    assert.deepStrictEqual([0.95, 0.8, 0.5, 0.2].map(rowsFor), [8, 4, 2, 1])
  })
})

const labels: ReadonlyArray<Label> = [
  { name: "Question", key: "question", about: "the question" },
  { name: "Answer", key: "answer", about: "the answer" },
  { name: "Wrong answer", key: "wrong", about: "a wrong answer", count: 2 },
  { name: "Score", key: "score", about: "1 to 5", number: true }
]

describe("labelled lines", () => {
  it("are asked for in words", () =>
    assert.strictEqual(
      instructions(labels),
      "Answer only with these lines:\nQuestion: <the question>\nAnswer: <the answer>\nWrong answer: <a wrong answer>\n"
        + "Wrong answer: <a wrong answer>\nScore: <1 to 5>"
    ))
  it("are read whatever is around the labels, over several lines, the first ones only", () => {
    const text = "Sure!\n\n**Question:** Which\ngene?\n- Answer : GBA1\nWrong answer 1: GLA\n2. wrong answer: GAA\n"
      + "Wrong answer: FBN1\nScore: 4/5, as it is clear\nQuestion: Another?"
    assert.deepStrictEqual(read(text, labels), {
      value: { question: "Which\ngene?", answer: "GBA1", wrong: ["GLA", "GAA"], score: 4 }
    })
  })
  it("name what they lack, and are not the instructions repeated", () => {
    assert.deepStrictEqual(read("Question: a\nAnswer:\nScore: 3", labels), { lacks: "Answer" })
    assert.deepStrictEqual(read("Question: a\nAnswer: b\nWrong answer: c\nScore: 3", labels), { lacks: "Wrong answer" })
    assert.deepStrictEqual(read(instructions(labels), labels), { lacks: "Question" })
    assert.deepStrictEqual(read("The Question: none", labels), { lacks: "Question" })
  })
})

describe("an answer", () => {
  it("rests on a passage word for word, by most of its words, or unasked", () => {
    const passage = "Variants in GBA1, on the long arm of chromosome one, are at fault."
    const how = (text: string) => (["exact", "words", "off"] as const).map((own) => isGrounded(text, passage, own))
    assert.deepStrictEqual(how("the long arm of chromosome one"), [true, true, true])
    assert.deepStrictEqual(how("chromosome one, long arm"), [false, true, true])
    assert.deepStrictEqual(how("chromosome two's long arm"), [false, false, true])
    assert.deepStrictEqual(how("?"), [false, false, true])
  })
  it("is one of the options, in an order drawn by key", () => {
    const drawn = Array.from({ length: 20 }, (_, i) => optionsWith("a", ["b", "c"], Key.make(i)))
    assert.isTrue(drawn.every(({ answerIndex, options }) => options[answerIndex] === "a" && options.length === 3))
    assert.strictEqual(new Set(drawn.map(({ answerIndex }) => answerIndex)).size, 3)
    assert.deepStrictEqual(optionsWith("a", ["b", "c"], Key.make(1)), drawn[1])
  })
  it("is the same as another whatever its case, marks and articles", () => {
    assert.isTrue(sameAnswer("The GBA1 gene.", "gba1 gene"))
    assert.isFalse(sameAnswer("a", "the"))
  })
})
