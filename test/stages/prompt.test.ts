/** Prompts with pictures: where they go, and what becomes of their place where there is none. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { image, type Part, text } from "../../src/domain/Content.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { ask, type Asked, type Shown } from "../../src/stages/prompt.ts"
import { decode } from "../../src/systems/jmlr/settings.ts"

const settings = (overrides: Raw = {}) =>
  decode("test", {
    output_dir: "o",
    passages_file: "p",
    retriever_name_or_path: "r",
    reader_name_or_path: "r",
    options_in_prompt: false,
    answer_format: "text",
    text_maxlength: 9,
    document_prompt: "<image>background: {text}\n\n",
    question_prompt: "<image>{question}?",
    ...overrides
  })

const prompt = (passages: ReadonlyArray<Shown>, asked: Asked, overrides: Raw = {}) =>
  Effect.map(settings(overrides), (o) => ask(o, passages, asked)[0]!.content)

const passage = (words: string): Part => ({ ...text(words), most: 9, yields: true })
const none = { question: "What", options: [] }

describe("a prompt", () => {
  it.effect("has the pictures of passages and question where their marks are", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* prompt([{ text: "A nodule.", image: "1.png" }, { text: "Clear." }], { ...none, image: "q.png" }),
        [
          { ...image("1.png"), yields: true },
          passage("background: A nodule.\n\n"),
          passage("background: Clear.\n\n"),
          image("q.png"),
          text("What?")
        ]
      )
      assert.deepStrictEqual(yield* prompt([], none), [text("What?")])
      const between = { question_prompt: "Look: <image> {question}?" }
      assert.deepStrictEqual(yield* prompt([], { ...none, image: "q.png" }, between), [
        text("Look: "),
        image("q.png"),
        text(" What?")
      ])
      assert.deepStrictEqual(yield* prompt([], none, between), [text("Look:  What?")])
    }))
  it.effect("without marks has none", () =>
    Effect.gen(function*() {
      const bare = { document_prompt: "{text}", question_prompt: "{question}" }
      const seen = yield* prompt([{ text: "x", image: "1.png" }], { ...none, image: "q.png" }, bare)
      assert.deepStrictEqual(seen, [passage("x"), text("What")])
    }))
  it.effect("keeps marks in the words of passages and questions as words", () =>
    Effect.gen(function*() {
      const seen = yield* prompt([{ text: "an <image> tag" }], { question: "Is <image> closed", options: [] })
      assert.deepStrictEqual(seen, [passage("background: an <image> tag\n\n"), text("Is <image> closed?")])
    }))
  it.effect("may lose the beginning of its question's words, not its picture", () =>
    Effect.gen(function*() {
      const own = { excess_length: "truncate", question_prompt: "Q: {question} <image> {question}" }
      const seen = yield* prompt([], { ...none, image: "q.png" }, own)
      assert.deepStrictEqual(seen, [
        { ...text("Q: What "), cut: [[3, 7]] },
        image("q.png"),
        { ...text(" What"), cut: [[1, 5]] }
      ])
    }))
  it.effect("has one picture a passage and question, and none in an answer", () =>
    Effect.gen(function*() {
      const problems = (overrides: Raw) => Effect.map(Effect.flip(settings(overrides)), ({ message }) => message)
      assert.match(
        yield* problems({ document_prompt: "<image>{text}<image>" }),
        /document_prompt: has 2 times <image>, and may have 1/
      )
      assert.match(
        yield* problems({ answer_prompt: "<image>{answer}" }),
        /answer_prompt: has 1 times <image>, and may have 0/
      )
    }))
})
