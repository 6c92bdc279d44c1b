/** Lines of question and passage files, in the spellings of the field. */
import { assert, describe, it } from "@effect/vitest"
import { type PassageLine, type QuestionLine, RecordError, toPassage, toQuestion } from "../../src/domain/Records.ts"

const question = (line: Partial<typeof QuestionLine.Type>) => toQuestion({ id: "q", question: "Which?", ...line })
const fieldOf = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    if (error instanceof RecordError) return error.field
  }
  return "none"
}

describe("a passage", () => {
  for (
    const [line, expected] of [
      [{ _id: "a", text: "T" }, { id: "a", text: "T" }],
      [{ _id: "a", title: "Title", text: "T" }, { id: "a", text: "Title. T" }],
      [{ _id: "a", title: "", text: "T" }, { id: "a", text: "T" }],
      [{ id: 7, contents: "C" }, { id: "7", text: "C" }],
      [{ _id: "a", id: "b", text: "T", contents: "C" }, { id: "a", text: "T" }]
    ] satisfies ReadonlyArray<readonly [typeof PassageLine.Type, object]>
  ) {
    it(`is read from ${JSON.stringify(line)}`, () => assert.deepStrictEqual({ ...toPassage(line) }, expected))
  }
  it("needs an id and a text", () => {
    assert.strictEqual(fieldOf(() => toPassage({ text: "T" })), "_id")
    assert.strictEqual(fieldOf(() => toPassage({ _id: "a" })), "text")
  })
})

describe("a question", () => {
  const options = { A: "x", B: "y", C: "z" }
  for (
    const [form, line] of [
      ["keyed options and the letter as the answer", { options, answer: "B" }],
      ["keyed options and the text as the answer", { options, answer: "y" }],
      ["keyed options, the text and the letter", { options, answer: "y", answer_idx: "B" }],
      ["listed options and the place", { options: ["x", "y", "z"], answer_idx: 1 }],
      ["listed options and the letter", { options: ["x", "y", "z"], answer: "B" }],
      ["listed options and the text", { options: ["x", "y", "z"], answer: "y" }]
    ] as const
  ) {
    it(`is read from ${form}`, () => {
      const { answer, answerIndex, options } = question(line)
      assert.deepStrictEqual({ answer, answerIndex, options }, {
        answer: "y",
        answerIndex: 1,
        options: ["x", "y", "z"]
      })
    })
  }
  it("prefers the letter given for the answer to an option that reads like it", () => {
    assert.strictEqual(question({ options: ["B", "A"], answer: "A" }).answerIndex, 0)
    assert.strictEqual(question({ options: ["B", "A"], answer: "A", answer_idx: "B" }).answerIndex, 1)
  })
  it("may be free, with one answer or several", () => {
    const { answer, answerIndex, options } = question({ answer: "GLA" })
    assert.deepStrictEqual([answer, answerIndex, options], ["GLA", -1, []])
    assert.strictEqual(question({ answers: ["GBA1", "GBA"] }).answer, "GBA1")
  })
  it("has an id by any of its names, and is a group of its own unless told", () => {
    assert.strictEqual(toQuestion({ qid: 4, question: "?", answer: "x" }).id, "4")
    assert.strictEqual(toQuestion({ _id: "u", question: "?", answer: "x" }).group, "u")
    assert.strictEqual(question({ answer: "x", group: 3 }).group, "3")
  })
  it("knows one gold passage, several or none", () => {
    assert.deepStrictEqual(question({ answer: "x" }).gold, [])
    assert.deepStrictEqual(question({ answer: "x", gold: 5 }).gold, ["5"])
    assert.deepStrictEqual(question({ answer: "x", gold: ["a", 6] }).gold, ["a", "6"])
  })
  for (
    const [what, line, field] of [
      ["no id", { question: "?", answer: "x" }, "id"],
      ["no answer", { id: "q", question: "?" }, "answer"],
      ["a letter beyond its options", { id: "q", question: "?", options, answer: "D" }, "answer"],
      ["a place beyond its options", { id: "q", question: "?", options: ["x"], answer_idx: 1 }, "answer"],
      ["a place before its options", { id: "q", question: "?", options: ["x"], answer_idx: -1 }, "answer"],
      ["options and no answer", { id: "q", question: "?", options: ["x"] }, "answer"]
    ] satisfies ReadonlyArray<readonly [string, typeof QuestionLine.Type, string]>
  ) {
    it(`with ${what} is refused`, () => assert.strictEqual(fieldOf(() => toQuestion(line)), field))
  }
})
