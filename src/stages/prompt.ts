/** Prompts: renders passages, questions and answers as chats and continuations for a language model. */
import * as Effect from "effect/Effect"
import { type Chat, type Image, image, type Part, type Text, text } from "../domain/Content.ts"
import { letter, withOptions } from "../domain/records/options.ts"
import type { Generation } from "../domain/settings/generation.ts"
import { aroundImage, fill } from "../domain/settings/placeholders.ts"
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
  /** Reference of its picture; "", as by default, if it has none. */
  readonly image?: string
}

/** A passage for the reader. */
export interface Shown {
  readonly text: string
  /** Reference of its picture; "", as by default, if it has none. */
  readonly image?: string
}

/** The parts of a prompt around its picture, which is left out with its place where there is none. */
const pictured = (pieces: ReadonlyArray<Text>, picture: Image): ReadonlyArray<Part> =>
  pieces.flatMap((piece, i): ReadonlyArray<Part> => [
    ...(i > 0 ? [picture] : []),
    ...(piece.text === "" && pieces.length > 1 ? [] : [piece])
  ])

/** A passage; its tokens are dropped first if a prompt is too long. */
const passage = (o: PromptOptions, own: Shown): ReadonlyArray<Part> => {
  const { image: reference = "" } = own
  const pieces = aroundImage(o, "document_prompt", reference !== "").map((piece): Text => ({
    _tag: "Text",
    text: piece.join(own.text),
    most: o.text_maxlength,
    yields: true
  }))
  return pictured(pieces, { ...image(reference), yields: true })
}

/** A piece of a question's prompt with the question, whose own words may be truncated if the settings allow it. */
const asking = (o: PromptOptions, pieces: ReadonlyArray<string>, shown: string, { length }: string): Text => {
  const whole = text(pieces.join(shown))
  if (o.excess_length !== "truncate" || pieces.length === 1) return whole
  const starts = pieces.slice(1).map((_, i) =>
    pieces.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0) + i * shown.length
  )
  return { ...whole, cut: starts.map((from) => [from, from + length] as const) }
}

/** A question with its picture, and with its options, if shown. */
const questionParts = (o: PromptOptions, { image: reference = "", options, question }: Asked): ReadonlyArray<Part> => {
  const shown = o.options_in_prompt ? withOptions(question, options) : question
  const pieces = aroundImage(o, "question_prompt", reference !== "").map((piece) => asking(o, piece, shown, question))
  return pictured(pieces, image(reference))
}

/** The user's message: passages from worst to best, then the question. */
export const ask = (o: PromptOptions, passages: ReadonlyArray<Shown>, asked: Asked): Chat => [
  { role: "user", content: [...passages.flatMap((own) => passage(o, own)), ...questionParts(o, asked)] }
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

/** Reads each distinct passage once; returns passages by row, skipping -1. */
export const readPassages = (rows: Int32Array) =>
  Effect.map(
    distinct(rows),
    (passages) => (some: Int32Array): ReadonlyArray<Shown> =>
      Array.from(some.filter((row) => row >= 0), (row) => passages.get(row)!)
  )
