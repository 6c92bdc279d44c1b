/** What a test shares with its corpus and with training. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { leaksInPassages, leaksInTraining } from "../../src/domain/records/leaks.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import { contains, wordsOf } from "../../src/domain/texts/overlap.ts"
import { PHRASE, Phrases } from "../../src/domain/texts/phrases.ts"

const few = fc.array(fc.constantFrom("a", "b", "c", "Ä", "血"), { maxLength: 12 }).map((words) => words.join(" "))
const texts = fc.array(fc.constantFrom("a", "b", "c", "ä", "-", "血"), { maxLength: 80 }).map((words) =>
  words.join(" ")
)

const question = (id: string, text: string, own: Partial<QuestionRecord> = {}): QuestionRecord => ({
  id,
  question: text,
  options: [],
  answer: "copper",
  answerIndex: -1,
  gold: [],
  group: id,
  type: "",
  ...own
})

describe("phrases", () => {
  it("are found wherever their words follow each other, and nowhere else", () => {
    fc.assert(fc.property(fc.array(few, { maxLength: 6 }), texts, (own, text) => {
      const phrases = new Phrases()
      const long = own.map((phrase) => phrases.add(phrase))
      assert.deepStrictEqual(long, own.map((phrase) => wordsOf(phrase).length >= PHRASE))
      const found = own.flatMap((phrase, i) => long[i] && contains(text, phrase) ? [i] : [])
      assert.deepStrictEqual(phrases.within(text), found)
    }))
  })
})

describe("leaks", () => {
  const asked = "Which metal builds up in the liver in Wilson disease?"
  it("are questions in passages, alone, with their answer, with their options", () => {
    const test = [
      question("open", asked),
      question("closed", "Which of these is seen in the eye of patients?", { options: ["Iron", "Copper"] }),
      question("apart", "Who was the first to describe the disease?"),
      question("short", "What is it?")
    ]
    const { leaks, see } = leaksInPassages(test)
    see({
      id: "item",
      text: `Q: ${asked.toUpperCase()} A: copper. And so on, with much more text on other things than it.`
    })
    see({ id: "exam", text: "Which of these is seen in the eye of patients? a) iron b) copper" })
    see({ id: "same", text: "which of these is seen in the eye of patients" })
    see({ id: "none", text: "Copper builds up in the liver. What is it?" })
    const found = leaks()
    assert.strictEqual(found.short, 1)
    assert.deepStrictEqual(found.in_passage, {
      questions: 2,
      examples: [{ question: "open", where: "item" }, { question: "closed", where: "exam" }]
    })
    assert.deepStrictEqual(found.in_passage_with_answer.examples.map(({ question: own }) => own), ["open", "closed"])
    assert.deepStrictEqual(found.in_passage_with_options.examples, [{ question: "closed", where: "exam" }])
    assert.deepStrictEqual(found.passage_is_question.examples, [{ question: "closed", where: "same" }])
  })
  it("are explanations in passages, and those that name the answer", () => {
    const words = "Copper is not excreted in bile and so builds up in the liver, then in brain and eye."
    const own = { options: ["Iron", "Copper", "Zinc", "Lead"], answerIndex: 1, explanation: words }
    const test = [
      question("named", asked, own),
      question("lettered", asked, {
        ...own,
        answer: "Cu",
        options: ["Fe", "Cu"],
        explanation: `Ans. is (b). ${words}`
      }),
      question("otherwise", asked, {
        ...own,
        answer: "Cu",
        options: ["Cu", "Fe"],
        answerIndex: 0,
        explanation: `See option B, ${words}`
      }),
      question("apart", asked, { ...own, explanation: "It says something else altogether of metals and of the body." }),
      question("brief", asked, { ...own, explanation: "See copper." })
    ]
    const { leaks, see } = leaksInPassages(test)
    see({ id: "text", text: `Textbook. ${words.slice(0, 70)}` })
    see({ id: "exam", text: `12. Ans. is (b) ${words}` })
    see({ id: "hint", text: `see option b: ${words}` })
    const { explanation_in_passage: all, explanation_in_passage_with_answer: named } = leaks()
    assert.deepStrictEqual(all, {
      questions: 3,
      examples: [["named", "text"], ["lettered", "exam"], ["otherwise", "hint"]].map(([own, where]) => ({
        question: own!,
        where: where!
      }))
    })
    assert.deepStrictEqual(named, { questions: 2, examples: all!.examples.slice(0, 2) })
  })
  it("are not looked for in explanations that no question has", () => {
    assert.notProperty(leaksInPassages([question("bare", asked)]).leaks(), "explanation_in_passage")
  })
  it("are questions of training, and those that are almost", () => {
    const long =
      "A man of forty years has a tremor, a brown ring in the eye and trouble with his liver; which gene is changed"
    const train = [question("t1", asked), question("t2", `${long}?`)]
    const test = [
      question("same", asked.replace("?", " ").toLowerCase()),
      question("like", `${long} here?`),
      question("other", "Which metal builds up in the brain in another disease?")
    ]
    assert.deepStrictEqual(leaksInTraining(train, test), {
      in_training: { questions: 1, examples: [{ question: "same", where: "t1" }] },
      like_training: { questions: 1, examples: [{ question: "like", where: "t2" }] }
    })
  })
})
