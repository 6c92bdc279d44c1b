/** Rows as token ids, with the tokens that are learned. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Preference } from "../../../domain/examples/preferences.ts"
import type { Row } from "../../../domain/examples/rows.ts"
import type { Example, Tokens } from "../../../domain/examples/tokens.ts"
import type { Turn } from "../../../domain/examples/turns.ts"
import { fill } from "../../../domain/settings/placeholders.ts"
import type { Prompting } from "../../../domain/settings/prompting.ts"
import type { FileError } from "../../files/disk.ts"
import type { ModelRefused } from "../../ports/LanguageModel.ts"
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import { tokensBefore, tokensShared } from "./boundaries.ts"
import type { Marked } from "./marked.ts"
import { render, type Span } from "./spans.ts"

/** What is learned of rows. */
export interface LearnedOptions extends Pick<Prompting, "answer_prompt" | "apply_chat_template" | "question_prompt"> {
  /** Everything, not only what the assistant says. */
  readonly train_on_inputs: boolean
  /** Of several turns, only the last. */
  readonly last_turn_only: boolean
  /** Each turn is an example of its own, whose last message it is. */
  readonly split_turns: boolean
  readonly thinking: "keep" | "drop"
  readonly tools: "template" | "ignore"
  /** Tasks after their document: left out; their answers learned; or learned whole. */
  readonly document_tasks: "none" | "outputs" | "all"
}

/** A model's tokenizer and template, and what is learned. */
export interface ExampleSources {
  readonly tokenizer: Pick<Tokenizer, "encode" | "specials">
  /** Ids that begin a text; templates print their own. */
  readonly start: ReadonlyArray<number>
  /** The id that ends a text. */
  readonly end: number
  /** The chat template, loaded when a row first needs it. */
  readonly template: Effect.Effect<Marked, FileError, FileSystem.FileSystem>
  readonly options: LearnedOptions
}

type Made<A> = Effect.Effect<A, ModelRefused | FileError, FileSystem.FileSystem>
type Ids = ReadonlyArray<number>
/** A part of a text, and whether it is learned. */
type Part = readonly [text: string, learned: boolean]

/** The first token has nothing before it to be predicted from. */
const tokensOf = (ids: Ids, isLearned: (at: number) => boolean): Tokens => ({
  ids,
  learned: ids.map((_, at) => at > 0 && isLearned(at) ? 1 : 0)
})

/** A text's ids between the model's first and last id, which it may have itself. */
const framed = ({ end, start, tokenizer }: ExampleSources, text: string): Ids => {
  const ids = [...start, ...tokenizer.encode(text)]
  return ids.at(-1) === end ? ids : [...ids, end]
}

/** Parts as one text, some of them learned; the end is learned if the last part is. */
const textOf = (o: ExampleSources, parts: ReadonlyArray<Part>): Tokens => {
  const whole = parts.map(([text]) => text).join("")
  const ids = framed(o, whole)
  const own = ids.slice(o.start.length)
  const spans: Array<Span> = []
  let at = 0
  for (const [text, learned] of parts) {
    if (learned) spans.push([at, at + text.length])
    at += text.length
  }
  const places = spans.map(([from, to]): Span => [
    from === 0 ? 0 : o.start.length + tokensBefore(whole, own, from, o.tokenizer.encode),
    to === whole.length ? ids.length : o.start.length + tokensBefore(whole, own, to, o.tokenizer.encode)
  ])
  return tokensOf(ids, (place) => places.some(([from, to]) => place >= from && place < to))
}

/** A prompt's completion, from the first token that the prompt alone does not have. */
const completionOf = (o: ExampleSources, prompt: string, completion: string): Tokens => {
  const ids = framed(o, prompt + completion)
  const from = tokensShared([...o.start, ...o.tokenizer.encode(prompt)], ids)
  return tokensOf(ids, (at) => o.options.train_on_inputs || at >= from)
}

const taskParts = (o: LearnedOptions, { tasks }: Row & { readonly _tag: "Text" }): ReadonlyArray<Part> =>
  o.document_tasks === "none" ? [] : tasks.flatMap(({ answer, question }): ReadonlyArray<Part> => [
    [`\n\n${fill(o, "question_prompt", question)}`, o.document_tasks === "all"],
    [fill(o, "answer_prompt", answer), true]
  ])

/** Documents, each with its tasks, as one text. */
export const documentsOf = (
  o: ExampleSources,
  rows: ReadonlyArray<Row & { readonly _tag: "Text" }>
): Tokens =>
  textOf(
    o,
    rows.flatMap((row, i): ReadonlyArray<Part> => [
      [`${i === 0 ? "" : "\n\n"}${row.text}`, true],
      ...taskParts(o.options, row)
    ])
  )

interface Chat {
  readonly turns: ReadonlyArray<Turn>
  readonly tools: ReadonlyArray<unknown> | undefined
}

const spanOptions = (o: ExampleSources, template: Marked, { tools }: Chat) => ({
  template,
  specials: o.tokenizer.specials,
  tools: o.options.tools === "ignore" ? undefined : tools,
  dropsThoughts: o.options.thinking === "drop"
})

const chatOf = Effect.fnUntraced(function*(o: ExampleSources, chat: Chat, lastOnly: boolean) {
  const template = yield* o.template
  const { spans, text } = yield* render(chat.turns, spanOptions(o, template, chat))
  const { encode } = o.tokenizer
  const ids = encode(text)
  if (o.options.train_on_inputs) return tokensOf(ids, () => true)
  const places = (lastOnly ? spans.slice(-1) : spans).map(([from, to]): Span => [
    tokensBefore(text, ids, from, encode),
    tokensBefore(text, ids, to, encode)
  ])
  return tokensOf(ids, (at) => places.some(([from, to]) => at >= from && at < to))
})

/** Messages as text: to be continued by the assistant, or whole. */
const renderedOf = Effect.fnUntraced(function*(o: ExampleSources, { tools, turns }: Chat, asks: boolean) {
  const { refuse, render: rendered } = yield* o.template
  const own = o.options.tools === "ignore" ? undefined : tools
  const [text] = yield* rendered([turns.map((turn) => ({ ...turn }))], {
    add_generation_prompt: asks,
    tools: own ?? null
  })
  if (own === undefined) return text!
  const [bare] = yield* rendered([turns.map((turn) => ({ ...turn }))], { add_generation_prompt: asks, tools: null })
  return bare === text ? yield* refuse("does not print tools; set tools: ignore to leave them out") : text!
})

/** The ids of a prompt that is asked, and those of it with an answer. */
const askedOf = Effect.fnUntraced(function*(o: ExampleSources, prompt: Chat, answer: ReadonlyArray<Turn>) {
  const { encode } = o.tokenizer
  const { refuse } = yield* o.template
  const asked = yield* renderedOf(o, prompt, prompt.turns.at(-1)?.role !== "assistant")
  const whole = yield* renderedOf(o, { ...prompt, turns: [...prompt.turns, ...answer] }, false)
  let at = 0
  for (const { content, role } of [...prompt.turns, ...answer]) {
    const found = whole.indexOf(content.trim(), at)
    if (found < 0) {
      return yield* refuse(`drops or changes a message (role ${role}), so that it would not be learned as it is`)
    }
    at = found + content.trim().length
  }
  return { asked: encode(asked), whole: encode(whole) }
})

/** A chat's turns that are learned one by one, each after all before it. */
const apart = (turns: ReadonlyArray<Turn>): ReadonlyArray<ReadonlyArray<Turn>> =>
  turns.flatMap(({ role }, i) => role === "assistant" ? [turns.slice(0, i + 1)] : [])

const chatsOf = (o: ExampleSources, turns: ReadonlyArray<Turn>, tools: Chat["tools"]): Made<ReadonlyArray<Tokens>> => {
  const { last_turn_only, split_turns } = o.options
  if (!split_turns) return Effect.map(chatOf(o, { turns, tools }, last_turn_only), (one) => [one])
  const all = apart(turns)
  return Effect.forEach(last_turn_only ? all.slice(-1) : all, (own) => chatOf(o, { turns: own, tools }, true))
}

/** The examples of a row: one, or one for each turn. */
export const tokenise = (o: ExampleSources, row: Row): Made<ReadonlyArray<Tokens>> => {
  switch (row._tag) {
    case "Text":
      return Effect.sync(() => [documentsOf(o, [row])])
    case "Completion":
      return Effect.sync(() => [completionOf(o, row.prompt, row.completion)])
    case "Instruction": {
      const { instruction, output } = row
      if (o.options.apply_chat_template) {
        const turns = [{ role: "user", content: instruction }, { role: "assistant", content: output }]
        return chatsOf(o, turns, undefined)
      }
      const prompt = fill(o.options, "question_prompt", instruction)
      return Effect.sync(() => [completionOf(o, prompt, fill(o.options, "answer_prompt", output))])
    }
    case "Chat": {
      const { messages, prompt, tools } = row
      if (prompt === undefined) return chatsOf(o, messages, tools)
      return Effect.map(
        askedOf(o, { turns: messages.slice(0, prompt), tools }, messages.slice(prompt)),
        ({ asked, whole }) => {
          const from = tokensShared(asked, whole)
          return [tokensOf(whole, (at) => o.options.train_on_inputs || at >= from)]
        }
      )
    }
  }
}

/** The examples of a row under its id; those after the first are numbered. */
export const examplesOf = (o: ExampleSources, id: string, row: Row): Made<ReadonlyArray<Example>> =>
  Effect.map(
    tokenise(o, row),
    (all) => all.map((own, i) => ({ id: i === 0 ? id : `${id}/${i + 1}`, ...own }))
  )

/** The ids of a prompt with its two answers, and where the answers begin. */
export interface PairTokens {
  readonly chosen: Ids
  readonly rejected: Ids
  /** Tokens of the prompt: those that prompt, prompt with chosen and prompt with rejected have in common. */
  readonly prompt: number
}

/** Tokenises a preference as TRL does. */
export const pairOf = Effect.fnUntraced(function*(o: ExampleSources, pair: Preference) {
  if (pair._tag === "Texts") {
    const { chosen, prompt, rejected } = pair
    const asked = [...o.start, ...o.tokenizer.encode(prompt)]
    const [good, bad] = [framed(o, prompt + chosen), framed(o, prompt + rejected)]
    const common = Math.min(tokensShared(asked, good), tokensShared(asked, bad))
    return { chosen: good, rejected: bad, prompt: common } satisfies PairTokens as PairTokens
  }
  const chat = { turns: pair.prompt, tools: pair.tools }
  const [good, bad] = [yield* askedOf(o, chat, pair.chosen), yield* askedOf(o, chat, pair.rejected)]
  const common = Math.min(tokensShared(good.asked, good.whole), tokensShared(bad.asked, bad.whole))
  return { chosen: good.whole, rejected: bad.whole, prompt: common } satisfies PairTokens as PairTokens
})
