/** Prompts: renders passages, questions and answers as chats and continuations for a language model. */
import * as Effect from "effect/Effect"
import type { Chat, Part } from "../domain/Content.ts"
import { text } from "../domain/Content.ts"
import { letter, withOptions } from "../domain/records/options.ts"
import type { Generation } from "../domain/settings/generation.ts"
import { around, fill } from "../domain/settings/placeholders.ts"
import type { Prompting } from "../domain/settings/prompting.ts"
import { distinct } from "../runtime/ports/Corpus.ts"

/** How questions are asked. */
export type PromptOptions =
  & Pick<
    Prompting,
    | "answer_format"
    | "answer_prompt"
    | "document_prompt"
    | "excess_length"
    | "options_in_prompt"
    | "question_prompt"
    | "rationale_target"
    | "text_maxlength"
  >
  & Pick<Generation, "generation_prompt" | "rationale_prompt">

/** A question for the reader; `options` is empty if the answer is free text. */
export interface Asked {
  readonly question: string
  readonly options: ReadonlyArray<string>
}

/** A passage; its tokens are dropped first if a prompt is too long. */
const passage = (o: PromptOptions, own: string): Part => ({
  ...text(fill(o, "document_prompt", own)),
  most: o.text_maxlength,
  yields: true
})

/** A question with its options, if shown; its own words may be truncated if the settings allow it. */
const questionPart = (o: PromptOptions, { options, question }: Asked): Part => {
  const shown = o.options_in_prompt ? withOptions(question, options) : question
  const pieces = around(o, "question_prompt")
  const whole = text(pieces.join(shown))
  if (o.excess_length !== "truncate") return whole
  const starts = pieces.slice(1).map((_, i) =>
    pieces.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0) + i * shown.length
  )
  return { ...whole, cut: starts.map((from) => [from, from + question.length] as const) }
}

/** The user's message: passages from worst to best, then the question. */
export const ask = (o: PromptOptions, passages: ReadonlyArray<string>, asked: Asked): Chat => [
  { role: "user", content: [...passages.map((own) => passage(o, own)), questionPart(o, asked)] }
]

const begin = (chat: Chat, ...texts: ReadonlyArray<string>): Chat => {
  const content = texts.filter((own) => own !== "").map(text)
  return content.length === 0 ? chat : [...chat, { role: "assistant", content }]
}

/** The prompt for generating an answer. */
export const toAnswer = (o: PromptOptions, chat: Chat): Chat => begin(chat, o.generation_prompt)

/** The prompt for an explanation, after the answer. */
export const toExplain = (o: PromptOptions, chat: Chat, asked: Asked, answer: string): Chat =>
  begin(chat, answerOf(o, asked, answer), o.rationale_prompt)

const said = (o: PromptOptions, answer: string): string => fill(o, "answer_prompt", answer)

/** The target text of the answer: the option's text or letter, or the free answer. */
export const answerOf = (o: PromptOptions, { options }: Pick<Asked, "options">, answer: string): string =>
  said(o, o.answer_format === "letter" && options.includes(answer) ? letter(options.indexOf(answer)) : answer)

/** What the reader learns to say: the answer, followed by its explanation if both it and the settings have one. */
export const targetOf = (
  o: PromptOptions,
  asked: Pick<Asked, "options">,
  { answer, explanation }: { readonly answer: string; readonly explanation: string }
): string =>
  answerOf(o, asked, answer)
  + (o.rationale_target === "" || explanation === "" ? "" : fill(o, "rationale_target", explanation))

/** All options as answers; letters also distinguish options with equal texts. */
export const answersOf = (o: PromptOptions, { options }: Pick<Asked, "options">): ReadonlyArray<string> =>
  options.map((option, i) => said(o, o.answer_format === "letter" ? letter(i) : option))

/** Reads the text of each distinct passage once; returns texts by row, skipping -1. */
export const readTexts = (rows: Int32Array) =>
  Effect.map(
    distinct(rows),
    (passages) => (some: Int32Array): ReadonlyArray<string> =>
      Array.from(some.filter((row) => row >= 0), (row) => passages.get(row)!.text)
  )
