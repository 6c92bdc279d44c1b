/** Prompts token by token: order, what is predicted, what gives way where room is short. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import type { ChatTokensOptions } from "../../../src/runtime/language/chatTokens.ts"
import * as Sequences from "../../../src/runtime/language/sequences.ts"
import type { ChatTemplate } from "../../../src/runtime/language/templates/chatTemplate.ts"
import type { Piece } from "../../../src/runtime/language/templates/jinja/render.ts"
import * as Prompt from "../../../src/stages/prompt.ts"
import { decode } from "../../../src/systems/jmlr/settings.ts"

const wordsOf = (piece: Piece): string => piece.type === "text" ? piece.text : "<image>"

/** A token a character. */
const tokenizer = { encode: (text: string) => [...text].map((c) => c.charCodeAt(0)) }
const [BOS, EOS] = [1, 2]
const shown = (ids: ReadonlyArray<number>): string =>
  ids.map((id) => id === BOS ? "<" : id === EOS ? ">" : String.fromCharCode(id)).join("")

const settings = (overrides: Raw) =>
  Effect.runSync(decode("test", {
    output_dir: "o",
    passages_file: "p",
    retriever_name_or_path: "r",
    reader_name_or_path: "r",
    document_prompt: "[{text}]",
    question_prompt: "{question}?",
    answer_prompt: "={answer}",
    options_in_prompt: false,
    answer_format: "text",
    ...overrides
  }))

const texts = ["aa", "bb", "cc$&"]

/** Prompts as the stages make them, and their tokens. */
const prompts = (overrides: Raw = {}, wrap: ChatTokensOptions["wrap"] = [BOS]) => {
  const o = settings(overrides)
  const sequences = Sequences.make({ tokenizer, wrap, max_length: o.max_length, end: EOS })
  type Asks = readonly [docs: ReadonlyArray<number>, question: string, options: ReadonlyArray<string>]
  const chat = (...[docs, question, options]: Asks) =>
    Prompt.ask(o, docs.filter((doc) => doc >= 0).map((doc) => ({ text: texts[doc]! })), { question, options })
  return {
    ...sequences,
    chat,
    lesson: (...[docs, question, options, answer, lm]: [...Asks, answer: string, lm: number]) =>
      sequences.one(chat(docs, question, options), Prompt.answerOf(o, { options }, answer), lm),
    choices: (...asks: Asks) => sequences.several(chat(...asks), Prompt.answersOf(o, { options: asks[2] })),
    open: (...asks: Asks) => sequences.open(Prompt.toAnswer(o, chat(...asks)), o.max_new_tokens),
    explain: (...[docs, question, options, answer]: [...Asks, answer: string]) =>
      sequences.open(
        Prompt.toExplain(o, chat(docs, question, options), { question, options }, answer),
        o.rationale_max_new_tokens
      )
  }
}
const lesson = (overrides: Raw, ...args: Parameters<ReturnType<typeof prompts>["lesson"]>) =>
  Effect.runSync(prompts(overrides).lesson(...args))

describe("a lesson", () => {
  it("is the passages in their order, the question, the answer, the end", () => {
    assert.strictEqual(shown(lesson({}, [1, 0], "q", [], "x", 0).ids), "<[bb][aa]q?=x>")
    assert.strictEqual(shown(lesson({}, [2, -1], "q", [], "x", 0).ids), "<[cc$&]q?=x>")
  })
  it("predicts the answer and the end alone, each by the token before it, together as one", () => {
    const { branches, ids, positions, supervised } = lesson({}, [0], "q", [], "xy", 0)
    assert.deepStrictEqual(supervised.map((s) => [s.row, shown([s.target]), s.part]), [
      [6, "=", 0],
      [7, "x", 0],
      [8, "y", 0],
      [9, ">", 0]
    ])
    assert.closeTo(supervised.reduce((sum, s) => sum + s.weight, 0), 1, 1e-12)
    assert.deepStrictEqual([...positions], [...ids.keys()])
    assert.isTrue(branches.every((b) => b === 0))
  })
  it("predicts its prompt as well where that has a weight", () => {
    const { ids, supervised } = lesson({}, [0], "q", [], "x", 0.5)
    assert.strictEqual(supervised.length, ids.length - 1)
    const weight = (answer: boolean) =>
      supervised.filter((s) => (s.part === 0) === answer).reduce((sum, s) => sum + s.weight, 0)
    assert.closeTo(weight(true), 1, 1e-12)
    assert.closeTo(weight(false), 0.5, 1e-12)
  })
  it("answers by letter where asked to, and only where there are options", () => {
    const letter = { answer_format: "letter", options_in_prompt: true }
    assert.strictEqual(shown(lesson(letter, [], "q", ["no", "yes"], "yes", 0).ids), "<q\nA. no\nB. yes?=B>")
    assert.strictEqual(shown(lesson(letter, [], "q", [], "yes", 0).ids), "<q?=yes>")
  })
  it("gives up the front of its passages first, and each passage's end", () => {
    assert.strictEqual(
      shown(lesson({ max_length: 12 }, [1, 0], "q", [], "x", 0).ids),
      "<b][aa]q?=x>"
    )
    assert.strictEqual(shown(lesson({ text_maxlength: 2 }, [1, 0], "q", [], "x", 0).ids), "<[b[aq?=x>")
  })
  it("that does not fit without passages is refused", () => {
    assert.strictEqual(shown(lesson({ max_length: 6 }, [1, 0], "q", [], "x", 0).ids), "<q?=x>")
    const error = Effect.runSync(Effect.flip(prompts({ max_length: 5 }).lesson([0], "q", [], "x", 0)))
    assert.deepInclude({ ...error }, { _tag: "ContextOverflow", tokens: 6, limit: 5, prompt: "q?" })
  })
})

describe("choices", () => {
  const { branches, ids, positions, supervised } = Effect.runSync(prompts().choices([0], "q", ["xy", "z"]))
  it("are branches of one head, each at the places it would have alone", () => {
    assert.strictEqual(shown(ids), "<[aa]q?=xy>=z>")
    assert.strictEqual(branches.join(""), "00000001111222")
    assert.deepStrictEqual(positions.slice(7), [7, 8, 9, 10, 7, 8, 9])
  })
  it("predict each branch from the head, then from itself", () => {
    const of = (part: number) => supervised.filter((s) => s.part === part)
    assert.deepStrictEqual(of(0).map((s) => [s.row, shown([s.target])]), [[6, "="], [7, "x"], [8, "y"], [9, ">"]])
    assert.deepStrictEqual(of(1).map((s) => [s.row, shown([s.target])]), [[6, "="], [11, "z"], [12, ">"]])
  })
})

describe("an open prompt", () => {
  it("leaves room for its continuation", () => {
    const open = (overrides: Raw) => shown(Effect.runSync(prompts(overrides).open([1, 0], "q", [])).ids)
    assert.strictEqual(open({}), "<[bb][aa]q?")
    assert.strictEqual(open({ max_length: 9, max_new_tokens: 2 }), "<[aa]q?")
  })
})

describe("a question that does not fit", () => {
  const long = "a man of forty has a red spot. Which gene"
  const cut = (max_length: number, options: ReadonlyArray<string> = [], own: Raw = {}) =>
    prompts({ max_length, excess_length: "truncate", ...own }).lesson([0, 1], long, options, "x", 0)
  it("gives up the beginning of its text where that is to be cut, from a word on", () => {
    const prompt = (max_length: number) => shown(Effect.runSync(cut(max_length)).ids)
    assert.strictEqual(prompt(50), `<[bb]${long}?=x>`)
    assert.strictEqual(prompt(46), `<${long}?=x>`)
    assert.strictEqual(prompt(45), `<${long.slice(2)}?=x>`)
    assert.strictEqual(prompt(25), "<red spot. Which gene?=x>")
    assert.strictEqual(prompt(24), "<spot. Which gene?=x>")
    assert.strictEqual(prompt(9), "<gene?=x>")
  })
  it("keeps all of its options", () => {
    const shortened = shown(Effect.runSync(cut(40, ["no", "yes"], { options_in_prompt: true })).ids)
    assert.strictEqual(shortened, "<a red spot. Which gene\nA. no\nB. yes?=x>")
  })
  it("is refused where not even a word is left, or where it is to be whole", () => {
    const error = (max_length: number, own: Raw = {}) => Effect.runSync(Effect.flip(cut(max_length, [], own)))
    assert.deepInclude({ ...error(5) }, { _tag: "ContextOverflow", tokens: 46, limit: 5 })
    assert.strictEqual(error(45, { excess_length: "raise" })._tag, "ContextOverflow")
    assert.strictEqual(error(45, { excess_length: "skip" })._tag, "ContextOverflow")
  })
  it("is cut where it has no blanks, but never within a character", () => {
    const config = { max_length: 6, max_new_tokens: 1, excess_length: "truncate" }
    const [bos, first, ...rest] = Effect.runSync(prompts(config).open([], "👍🏽👍🏽👍🏽👍🏽", [])).ids
    assert.deepStrictEqual([bos, first, rest.length], [BOS, "🏽".charCodeAt(0), 3])
  })
  it("takes so many tokens without its passages", () => {
    const { chat, continuation, least } = prompts()
    assert.strictEqual(Effect.runSync(least(chat([0, 1], "q", ["xy", "z"]))), 3)
    assert.strictEqual(continuation("=z").length, 3)
  })
})

describe("options of one text", () => {
  it("are branches of their own letters", () => {
    const two = { answer_format: "letter", options_in_prompt: true }
    const { ids } = Effect.runSync(prompts(two).choices([], "q", ["no", "no"]))
    assert.strictEqual(shown(ids), "<q\nA. no\nB. no?=A>=B>")
  })
})

describe("a user's message", () => {
  const render: ChatTemplate["render"] = (chats) =>
    Effect.succeed(chats.map((said) => said.map(({ content }) => `((${content.trim()}))`).join("") + ":"))
  const wrap: ChatTemplate = {
    render,
    compose: (chats) =>
      render(chats.map((chat) => chat.map(({ content, role }) => ({ role, content: content.map(wordsOf).join("") }))))
  }
  const open = (docs: ReadonlyArray<number>, overrides: Raw = {}) =>
    shown(
      Effect.runSync(
        prompts({ max_new_tokens: 1, document_prompt: "\n{text}", ...overrides }, wrap).open(docs, "q", [])
      ).ids
    )
  it("is what the template makes of passages and question, of both as one", () =>
    assert.strictEqual(open([1, 0]), "((bb\naaq?)):"))
  it("loses its passages from the front, and nothing else", () => {
    assert.strictEqual(open([1, 0], { max_length: 12 }), "((b\naaq?)):")
    assert.strictEqual(open([1, 0], { max_length: 9 }), "((aq?)):")
    assert.strictEqual(open([1, 0], { max_length: 8 }), "((q?)):")
    const error = Effect.runSync(Effect.flip(prompts({ max_length: 7, max_new_tokens: 1 }, wrap).open([], "q", [])))
    assert.strictEqual(error._tag, "ContextOverflow")
  })
  it("has passages of so many tokens at most", () =>
    assert.strictEqual(open([1, 0], { text_maxlength: 2 }), "((b\naq?)):"))
})
