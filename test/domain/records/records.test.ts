/** Records of passages and questions: what is read of one, what is told, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Notes } from "../../../src/domain/records/fields.ts"
import {
  isAnswered,
  passageFields,
  questionFields,
  RecordError,
  rightAnswers,
  toPassage,
  toQuestion
} from "../../../src/domain/records/Records.ts"

const question = (line: object) => toQuestion({ id: "q", question: "Which?", ...line })

/** The field and reason that a record is refused for. */
const refusal = (f: () => unknown): readonly [field: string, reason: string] => {
  try {
    f()
  } catch (error) {
    if (error instanceof RecordError) return [error.field, error.message]
    throw error
  }
  return ["none", "it is read"]
}
const fieldOf = (f: () => unknown): string => refusal(f)[0]

/** What is told beside what is read. */
const listening = () => {
  const heard = new Array<string>()
  const notes: Notes = { unused: (field) => heard.push(field), remark: (remark) => heard.push(remark) }
  return { heard, notes }
}

describe("a passage", () => {
  for (
    const [line, expected] of [
      [{ _id: "a", text: "T" }, { id: "a", text: "T" }],
      [{ _id: "a", title: "Title", text: "T" }, { id: "a", text: "Title. T" }],
      [{ _id: "a", title: "", text: "T" }, { id: "a", text: "T" }],
      [{ _id: "a", title: null, text: "T", metadata: {} }, { id: "a", text: "T" }],
      [{ _id: "a", title: "Title", text: "" }, { id: "a", text: "Title" }],
      [{ _id: "a", title: "Title", text: null }, { id: "a", text: "Title" }],
      [{ _id: "a", title: " ", text: "" }, { id: "a", text: "" }],
      [{ id: 7, contents: "C" }, { id: "7", text: "C" }],
      [{ id: "a", contents: "\"Title\"\nC" }, { id: "a", text: "\"Title\"\nC" }],
      [{ id: "a", title: "Title", contents: "\"Title\"\nC" }, { id: "a", text: "\"Title\"\nC" }],
      [{ id: "a", title: "Title", content: "C", contents: "Title. C" }, { id: "a", text: "Title. C" }],
      [{ id: "a", title: "Title.", content: "C", contents: "Title. C" }, { id: "a", text: "Title. C" }],
      [{ id: "a", title: "Title", content: "C" }, { id: "a", text: "Title. C" }],
      [{ id: "a", title: "Title", contents: "C" }, { id: "a", text: "Title. C" }],
      [{ id: "a", title: "Title", text: "Title is a word." }, { id: "a", text: "Title. Title is a word." }],
      [{ id: "a", title: "Is it?", text: "T" }, { id: "a", text: "Is it? T" }],
      [{ id: "a", title: "Title", section: "Part.", text: "T" }, { id: "a", text: "Title: Part. T" }],
      [{ id: "a", title: "Title", section: "Part", text: "T" }, { id: "a", text: "Title: Part. T" }],
      [{ id: "a", section: "Part", text: "T" }, { id: "a", text: "Part. T" }],
      [{ id: "a", title: "Title", section: "", text: "T" }, { id: "a", text: "Title. T" }]
    ] satisfies ReadonlyArray<readonly [object, object]>
  ) {
    it(`is read from ${JSON.stringify(line)}`, () => {
      const { heard, notes } = listening()
      assert.deepStrictEqual({ ...toPassage(line, { notes }) }, expected)
      assert.deepStrictEqual(heard, [])
    })
  }
  it("is told of by the fields that are not read", () => {
    const { heard, notes } = listening()
    toPassage({ _id: "a", id: "b", text: "T", contents: "C", url: "u", date: null }, { notes })
    assert.deepStrictEqual(heard, ["url", "id", "contents"])
  })
  it("is told of where it has half a character, which is replaced", () => {
    const { heard, notes } = listening()
    assert.strictEqual(toPassage({ _id: "a", text: "\ud83d T" }, { notes }).text, "\uFFFD T")
    assert.strictEqual(heard.length, 1)
  })
  it("needs an id, and a text, empty or not", () => {
    assert.deepStrictEqual(refusal(() => toPassage({ text: "T" })), [
      "_id",
      "a passage needs an id; the record has text"
    ])
    assert.deepStrictEqual(
      refusal(() => toPassage({ _id: "a", title: "T", sentences: ["x"] })),
      ["text", "a passage needs a text; the record has _id, title, sentences"]
    )
  })
  for (const id of [1.5, 2 ** 53, true, ["a"], { a: 1 }]) {
    it(`has no id of ${JSON.stringify(id)}`, () =>
      assert.include(fieldOf(() => toPassage({ _id: id, text: "T" })), "_id"))
  }
  it("is refused however deep it is", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as unknown
    assert.match(refusal(() => toPassage(deep))[1], /got a value of great depth/)
    assert.strictEqual(fieldOf(() => toPassage({ _id: "a", text: deep })), "text")
  })
  for (const line of [null, 5, "text", [{ _id: "a" }]]) {
    it(`is not ${JSON.stringify(line)}`, () => assert.strictEqual(fieldOf(() => toPassage(line)), ""))
  }
})

describe("a question", () => {
  const options = { A: "x", B: "y", C: "z" }
  const list = ["x", "y", "z"]
  for (
    const [form, line] of [
      ["keyed options and the letter as the answer", { options, answer: "B" }],
      ["keyed options and the text as the answer", { options, answer: "y" }],
      ["keyed options, the text and the letter", { options, answer: "y", answer_idx: "B" }],
      ["keyed options and the letter twice", { options, answer: "B", answer_idx: "B" }],
      ["keyed options, one of them null", { options: { ...options, D: null }, answer: "B" }],
      ["listed options and the place", { options: list, answer_idx: 1 }],
      ["listed options and the letter", { options: list, answer: "B" }],
      ["listed options and the text", { options: list, answer: "y" }],
      ["the text but for case and spaces", { options: list, answer: " Y" }],
      ["listed options, null after the last", { options: [...list, null, null], answer: "y" }],
      ["choices and the place as the answer", { choices: list, answer: 1 }],
      ["choices and places of golden answers", { choices: list, golden_answers: [1] }],
      ["options with their keys beside them", { options: { text: list, label: ["A", "B", "C"] }, answerKey: "B" }],
      ["options of keys and values", {
        options: list.map((value, i) => ({ key: "ABC"[i], value })),
        answer: "y",
        answer_idx: "B"
      }],
      ["the letter of the choice", { options: list, answer_choice: "B" }],
      ["a place of our own spelling", { options: list, answer: "y", answerIndex: 1 }]
    ] as const
  ) {
    it(`is read from ${form}`, () => {
      const { answer, answerIndex, answers, options } = question(line)
      assert.deepStrictEqual({ answer, answerIndex, answers, options }, {
        answer: "y",
        answerIndex: 1,
        answers: undefined,
        options: list
      })
    })
  }
  it("may have numbers as options, and as their keys", () => {
    assert.deepInclude(question({ options: { A: 23, B: 46 }, answer: "B" }), { options: ["23", "46"], answer: "46" })
    assert.strictEqual(question({ options: [10, 20], answer: 20 }).answerIndex, 1)
    assert.strictEqual(question({ options: { 1: "x", 2: "y" }, answer: 2 }).answerIndex, 1)
    assert.strictEqual(question({ choices: ["0", "4", "2"], answer: 2 }).answer, "2")
  })
  it("has every option of the right text right, the named one first", () => {
    const both = question({ options: ["three", "two", "three"], answer_idx: 2 })
    assert.deepInclude(both, { answer: "three", answerIndex: 2 })
    assert.deepStrictEqual(question({ options: ["three", "two", "three"], answer: "three" }).answerIndex, 0)
    const several = question({ choices: list, golden_answers: [2, 0] })
    assert.deepInclude(several, { answer: "z", answerIndex: 2 })
    assert.deepStrictEqual(rightAnswers(several), ["z", "x"])
  })
  for (
    const [what, line, field, reason] of [
      [
        "the text of one and the letter of another",
        { options: ["O", "AB", "A", "B"], answer: "A" },
        "answer",
        /two|A \("O"\) or C \("A"\)/
      ],
      ["the number of one and the place of another", { options: [1, 2, 3], answer: 2 }, "answer", /may mean/],
      [
        "one option by the answer, another by the letter",
        { options: list, answer: "y", answer_idx: "C" },
        "answer_idx, answer",
        /disagree.*C \("z"\).*B \("y"\)/
      ],
      [
        "one option by the answer, another by the place",
        { options: list, answer: "x", answerIndex: 1 },
        "answerIndex, answer",
        /disagree/
      ]
    ] as const
  ) {
    it(`that means ${what} is refused`, () => {
      const [at, why] = refusal(() => question(line))
      assert.strictEqual(at, field)
      assert.match(why, reason)
    })
  }
  it("that may be read in two ways is read where another field decides", () => {
    assert.strictEqual(question({ options: ["B", "A"], answer: "A", answer_idx: "B" }).answer, "A")
    assert.strictEqual(question({ options: ["B", "A"], answer: "A", answer_idx: 0 }).answer, "B")
    assert.strictEqual(question({ options: ["A", "B"], answer: "A" }).answerIndex, 0)
    assert.strictEqual(question({ options: { A: "ab", B: "c", C: "bc" }, answer: "C" }).answer, "bc")
  })
  it("may be free, and all its answers are right", () => {
    assert.deepInclude(question({ answer: "GLA" }), { answer: "GLA", answerIndex: -1, options: [] })
    for (
      const line of [
        { answers: ["GBA1", "GBA"] },
        { golden_answers: ["GBA1", "GBA"] },
        { answer: ["GBA1", "GBA"] },
        { answer: "GBA1", answers: ["GBA", "GBA1"] },
        { target: "GBA1", answers: ["GBA1", null, "GBA"] },
        { answers: { text: ["GBA1", "GBA"], answer_start: [1, 2] } }
      ]
    ) assert.deepStrictEqual(rightAnswers(question(line)), ["GBA1", "GBA"], JSON.stringify(line))
    assert.strictEqual(question({ answer: 42 }).answer, "42")
  })
  it("may lack an answer", () => {
    for (const line of [{}, { options }, { golden_answers: [] }, { answer: null }, { answer: "", answers: [""] }]) {
      const read = question(line)
      assert.isFalse(isAnswered(read))
      assert.deepStrictEqual([read.answer, read.answerIndex, rightAnswers(read)], ["", -1, []])
    }
  })
  it("has an id by any of its names, and is a group of its own unless told", () => {
    assert.strictEqual(toQuestion({ qid: 4, question: "?", answer: "x" }).id, "4")
    assert.strictEqual(toQuestion({ _id: "u", question: "?", answer: "x" }).group, "u")
    assert.strictEqual(question({ answer: "x", group: 3 }).group, "3")
    assert.strictEqual(toQuestion({ question: "?", doc: "d" }, { id: "line-3", group: "doc" }).group, "d")
    assert.strictEqual(toQuestion({ question: "?", dataset: "d", type: "t" }, { id: "1", type: "dataset" }).type, "d")
  })
  it("may say why its answer is right, in any of the fields that datasets have", () => {
    const read = (fields: object) => {
      const unused: Array<string> = []
      const notes = { unused: (field: string) => void unused.push(field), remark: () => undefined }
      const { explanation } = toQuestion({ id: "q", question: "?", answer: "a", ...fields }, { notes })
      return [explanation, ...unused]
    }
    for (const field of ["explanation", "exp", "rationale", "long_answer"]) {
      assert.deepStrictEqual(read({ [field]: " It is so. " }), ["It is so."])
    }
    assert.deepStrictEqual(read({ exp: ["One.", "Two."], rationale: "other" }), ["One.\nTwo.", "rationale"])
    assert.deepStrictEqual([read({}), read({ exp: null }), read({ exp: " " })], [[undefined], [undefined], [undefined]])
    assert.strictEqual(fieldOf(() => toQuestion({ id: "q", question: "?", answer: "a", exp: 3 })), "exp")
  })
  it("without an id is named after its place, and told", () => {
    const { heard, notes } = listening()
    assert.strictEqual(toQuestion({ question: "?" }, { id: "line-3", notes }).id, "line-3")
    assert.strictEqual(heard.length, 1)
  })
  it("knows one gold passage, several or none, in the field that has them", () => {
    assert.deepStrictEqual(question({ answer: "x" }).gold, [])
    assert.deepStrictEqual(question({ answer: "x", gold: 5 }).gold, ["5"])
    assert.deepStrictEqual(question({ answer: "x", gold: ["a", 6, null, "a"] }).gold, ["a", "6"])
    assert.deepStrictEqual(toQuestion({ id: "q", question: "?", PMID: [1, 2] }, { gold: "PMID" }).gold, ["1", "2"])
  })
  for (
    const [what, line, field] of [
      ["no id", { question: "?", answer: "x" }, "id"],
      ["no question", { id: "q", answer: "x" }, "question"],
      ["an empty question", { id: "q", question: " ", answer: "x" }, "question"],
      ["a letter beyond its options", { id: "q", question: "?", options, answer: "D" }, "answer"],
      ["a place beyond its options", { id: "q", question: "?", options: ["x"], answer_idx: 1 }, "answer_idx"],
      ["a place before its options", { id: "q", question: "?", options: ["x"], answer_idx: -1 }, "answer_idx"],
      ["a place between its options", { id: "q", question: "?", options: list, answer_idx: 0.5 }, "answer_idx"],
      ["a text for a letter", { id: "q", question: "?", options, answer_idx: "y" }, "answer_idx"],
      ["answers of which one is no option", { id: "q", question: "?", options, answers: ["x", "w"] }, "answers"],
      ["a letter and no options", { id: "q", question: "?", answer_idx: "A" }, "answer_idx"],
      ["options that are none", { id: "q", question: "?", options: "x, y", answer: "x" }, "options"],
      ["an option that is no text", { id: "q", question: "?", options: ["x", true], answer: "x" }, "options.B"],
      ["an empty option", { id: "q", question: "?", options: { A: "x", B: "" }, answer: "x" }, "options.B"],
      ["null between options", { id: "q", question: "?", options: ["x", null, "y"], answer: "x" }, "options.B"],
      ["options of one key", {
        id: "q",
        question: "?",
        options: [{ key: "A", value: "x" }, { key: "A", value: "y" }],
        answer: "x"
      }, "options"],
      [
        "more options than letters",
        { id: "q", question: "?", options: list.join().repeat(9).split(""), answer: "x" },
        "options"
      ],
      ["options and choices", { id: "q", question: "?", options, choices: list, answer: "x" }, "choices"],
      ["options in fields of their own", { id: "q", question: "?", A: "x", B: "y", answer: "A" }, "options"],
      ["options in numbered fields", { id: "q", question: "?", option_1: "x", option_2: "y", answer: "1" }, "options"],
      ["passages to be left out", { id: "q", question: "?", exclude: ["p1"], answer: "x" }, "exclude"],
      ["a type of several parts", { id: "q", question: "?", type: ["a", "b"], answer: "x" }, "type"],
      ["two groups", { id: "q", question: "?", group: ["a", "b"], answer: "x" }, "group"],
      ["gold that is no id", { id: "q", question: "?", gold: [{ id: "a" }], answer: "x" }, "gold"],
      ["an answer that is no text", { id: "q", question: "?", answer: true }, "answer"]
    ] satisfies ReadonlyArray<readonly [string, object, string]>
  ) {
    it(`with ${what} is refused`, () => assert.strictEqual(fieldOf(() => toQuestion(line)), field))
  }
})

/** A question and what can be done to its fields; the field that is renamed is one that is read. */
const mutation = fc.record({
  options: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }).filter((text) => text.trim() !== ""), {
    minLength: 2,
    maxLength: 5,
    selector: (text) => text.trim().toLowerCase()
  }),
  right: fc.nat(4),
  field: fc.constantFrom("id", "question", "options", "answer_idx", "gold", "group", "type"),
  how: fc.constantFrom("renamed", "null", "in a list", "in an object", "true", "as a text", "doubled")
})

const changed = (line: Readonly<Record<string, unknown>>, field: string, how: string): Record<string, unknown> => {
  const { [field]: value, ...rest } = line
  switch (how) {
    case "renamed":
      return { ...rest, [`${field}_`]: value }
    case "null":
      return { ...line, [field]: null }
    case "in a list":
      return { ...line, [field]: [value] }
    case "in an object":
      return { ...line, [field]: { value } }
    case "true":
      return { ...line, [field]: true }
    case "as a text":
      return { ...line, [field]: String(value) }
    default:
      return { ...line, [`${field}2`]: value }
  }
}

describe("a record that is not quite one", () => {
  const outcome = (line: object) => {
    const { heard, notes } = listening()
    try {
      return { record: toQuestion(line, { id: "line-1", notes }), heard }
    } catch (error) {
      if (error instanceof RecordError) return { refused: error.message, heard }
      throw error
    }
  }
  it("is read the same, told or refused", () => {
    fc.assert(
      fc.property(mutation, ({ field, how, options, right }) => {
        const line = {
          id: "q",
          question: "Which?",
          options,
          answer_idx: right % options.length,
          gold: ["p1", "p2"],
          group: "g",
          type: "t"
        }
        const before = outcome(line)
        assert.deepStrictEqual(before.heard, [])
        const after = outcome(changed(line, field, how))
        if (after.refused !== undefined || after.heard.length > 0) return
        /** Another id, which the corpus is held against. */
        if (field === "gold" && how === "as a text") return assert.deepStrictEqual(after.record!.gold, ["p1,p2"])
        const without = Object.fromEntries(Object.entries(line).filter(([name]) => name !== field))
        const plain = how === "null" ? outcome(without).record : before.record
        assert.deepStrictEqual(after.record, plain, `${field} ${how}`)
      }),
      { numRuns: 500 }
    )
  })
  it("has its right answer wherever its options stand", () => {
    fc.assert(
      fc.property(mutation, fc.constantFrom("list", "keyed", "pairs", "columns"), ({ options, right }, form) => {
        const place = right % options.length
        const keys = options.map((_, i) => "ABCDE"[i]!)
        const given = {
          list: options,
          keyed: Object.fromEntries(options.map((text, i) => [keys[i], text])),
          pairs: options.map((value, i) => ({ key: keys[i], value })),
          columns: { text: options, label: keys }
        }[form]
        const read = question({ options: given, answer: options[place], answer_idx: keys[place] })
        assert.deepInclude(read, { answer: options[place]!, answerIndex: place, options })
      })
    )
  })
  it("of any values is a whole record or refused", () => {
    const near = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>("A", "b", 0, 1, -1, 4, ["x", "y"], { A: "x", B: "y" }, [{ aid: 1, atext: "x" }], "N/A", [
        "N/A"
      ])
    )
    const fields = [...questionFields, ...passageFields, "__proto__", "constructor", "A", "B", "option_1", "option_2"]
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fields), near, { maxKeys: 8 }), (line) => {
        const { record } = outcome(line)
        if (record) {
          const right = rightAnswers(record)
          assert.isTrue(record.id !== "" && record.question.trim() !== "")
          assert.strictEqual(record.answerIndex >= 0, record.options.length > 0 && right.length > 0)
          assert.strictEqual(record.answer, right[0] ?? "")
          if (record.options.length > 0) assert.includeMembers([...record.options], [...right])
          assert.isTrue([...record.options, ...record.gold, ...right].every((text) => typeof text === "string"))
        }
        try {
          const passage = toPassage(line)
          assert.isTrue(passage.id !== "" && typeof passage.text === "string")
        } catch (error) {
          if (!(error instanceof RecordError)) throw error
        }
      }),
      { numRuns: 3000 }
    )
  })
})
