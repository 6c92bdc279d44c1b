/** Prompts as the reader reads them: passages from worst to best, then the question, then the answer. */
import * as Effect from "effect/Effect"
import type { RunConfig } from "../../domain/RunConfig.ts"
import { type Asked, ContextOverflow } from "../ports/Reader.ts"
import type { Turn } from "./chatTemplate.ts"
import type { Tokenizer } from "./tokenizer.ts"

/** A token to be predicted. */
export interface Supervised {
  /** Place of the token that predicts it. */
  readonly row: number
  readonly target: number
  /** In the loss of its sequence. */
  readonly weight: number
  /** The option it belongs to, 0 for the answer, -1 for the prompt. */
  readonly part: number
}

/** A sequence, or a trunk with branches that do not see each other (the options of a question). */
export interface Sequence {
  readonly ids: ReadonlyArray<number>
  readonly positions: ReadonlyArray<number>
  /** 0 for the trunk, k for the k-th branch. */
  readonly branches: ReadonlyArray<number>
  readonly supervised: ReadonlyArray<Supervised>
}

export interface Prompts {
  /** The passages, the question and its answer; the answer's tokens weigh 1 together, the prompt's `lm`. */
  readonly lesson: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>,
    answer: string,
    lm: number
  ) => Effect.Effect<Sequence, ContextOverflow>
  /** The passages, the question, and one branch an option. */
  readonly choices: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>
  ) => Effect.Effect<Sequence, ContextOverflow>
  /** The passages and the question, to be answered in writing. */
  readonly open: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<number>, ContextOverflow>
  /** The passages, the question and its answer, to be explained. */
  readonly explain: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>,
    answer: string
  ) => Effect.Effect<ReadonlyArray<number>, ContextOverflow>
}

const letter = (i: number): string => String.fromCharCode(65 + i)

/** The answer as the reader is to give it: the option's text or its letter, or the free answer. */
export const answerText = (
  format: RunConfig["answer_format"],
  options: ReadonlyArray<string>,
  answer: string
): string => format === "letter" && options.includes(answer) ? letter(options.indexOf(answer)) : answer

/** The question with its options written out below it. */
export const withOptions = (question: string, options: ReadonlyArray<string>): string =>
  [question, ...options.map((option, i) => `${letter(i)}. ${option}`)].join("\n")

export interface PromptSettings {
  readonly config: RunConfig
  readonly tokenizer: Pick<Tokenizer, "encode">
  readonly texts: ReadonlyArray<string>
  /** Ids before the passages, and after the question. */
  readonly turn: Turn
  /** The id after an answer. */
  readonly end: number
}

export const make = ({ config, end, texts, tokenizer, turn }: PromptSettings): Prompts => {
  const known = new Map<number, ReadonlyArray<number>>()
  const passage = (doc: number): ReadonlyArray<number> => {
    const existing = known.get(doc)
    if (existing) return existing
    const ids = tokenizer.encode(config.document_prompt.replace("{text}", () => texts[doc]!)).slice(
      0,
      config.text_maxlength
    )
    known.set(doc, ids)
    return ids
  }
  const asked = (question: string, options: ReadonlyArray<string>) => {
    const input = config.options_in_prompt ? withOptions(question, options) : question
    return tokenizer.encode(config.question_prompt.replace("{question}", () => input))
  }
  const said = (text: string) => tokenizer.encode(config.answer_prompt.replace("{answer}", () => text))
  const answered = (text: string) => [...said(text), end]

  /** Passages, cut from the front (the worst) where they do not fit beside `rest` tokens, then the question. */
  const trunk = (docs: ArrayLike<number>, question: string, options: ReadonlyArray<string>, rest: number) => {
    const own = [...asked(question, options), ...turn.after]
    const room = config.max_length - turn.before.length - own.length - rest
    if (room < 0) {
      const tokens = config.max_length - room
      return Effect.fail(new ContextOverflow({ tokens, limit: config.max_length, question: question.slice(0, 80) }))
    }
    const read = Array.from(docs).filter((doc) => doc >= 0).flatMap(passage)
    return Effect.succeed([...turn.before, ...read.slice(Math.max(0, read.length - room)), ...own])
  }

  /** The trunk and what follows it, with room for `more` tokens; never empty. */
  const continued = (trunkOf: (rest: number) => ReturnType<typeof trunk>, after: ReadonlyArray<number>, more: number) =>
    Effect.map(trunkOf(after.length + more), (head) => head.length + after.length > 0 ? [...head, ...after] : [end])

  return {
    lesson: (docs, question, options, answer, lm) => {
      const tail = answered(answerText(config.answer_format, options, answer))
      return Effect.map(trunk(docs, question, options, tail.length), (head) => {
        const ids = [...head, ...tail]
        const weight = (at: number) => at < head.length ? lm / (head.length - 1) : 1 / tail.length
        const first = lm > 0 ? 1 : head.length
        return {
          ids,
          positions: ids.map((_, i) => i),
          branches: ids.map(() => 0),
          supervised: ids.slice(first).map((target, i) => ({
            row: first + i - 1,
            target,
            weight: weight(first + i),
            part: first + i < head.length ? -1 : 0
          }))
        }
      })
    },
    choices: (docs, question, options) => {
      const tails = options.map((option) => answered(answerText(config.answer_format, options, option)))
      const longest = tails.reduce((n, tail) => n + tail.length, 0)
      return Effect.map(trunk(docs, question, options, longest), (head) => branch(head, tails))
    },
    open: (docs, question, options) =>
      continued(
        (rest) => trunk(docs, question, options, rest),
        tokenizer.encode(config.generation_prompt),
        config.max_new_tokens
      ),
    explain: (docs, question, options, answer) =>
      continued(
        (rest) => trunk(docs, question, options, rest),
        [
          ...said(answerText(config.answer_format, options, answer)),
          ...tokenizer.encode(config.rationale_prompt)
        ],
        config.rationale_max_new_tokens
      )
  }
}

/** Continuations of one head, side by side: each sees the head and itself, at the places it would have alone. */
const branch = (head: ReadonlyArray<number>, tails: ReadonlyArray<ReadonlyArray<number>>): Sequence => {
  const starts = tails.map((_, k) => head.length + tails.slice(0, k).reduce((n, tail) => n + tail.length, 0))
  return {
    ids: [...head, ...tails.flat()],
    positions: [...head.keys(), ...tails.flatMap((tail) => tail.map((_, t) => head.length + t))],
    branches: [...head.map(() => 0), ...tails.flatMap((tail, k) => tail.map(() => k + 1))],
    supervised: tails.flatMap((tail, k) =>
      tail.map((target, t) => ({
        row: t === 0 ? head.length - 1 : starts[k]! + t - 1,
        target,
        weight: 1 / tail.length,
        part: k
      }))
    )
  }
}

export const textsAsked = ({ options, questions }: Asked, config: RunConfig): ReadonlyArray<string> =>
  config.options_in_query ? questions.map((q, i) => withOptions(q, options[i]!)) : questions
