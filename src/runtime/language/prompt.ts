/** Prompts as the reader reads them: passages from worst to best, then the question, then the answer. */
import * as Effect from "effect/Effect"
import { letter } from "../../domain/records/options.ts"
import type { Generation } from "../../domain/settings/generation.ts"
import { fill } from "../../domain/settings/placeholders.ts"
import type { Prompting } from "../../domain/settings/prompting.ts"
import type { ModelRefused } from "../ports/Reader.ts"
import { make as trunkOf, type PromptError, type TrunkSettings } from "./trunk.ts"

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

/** Prompts as token ids; each fails with `ContextOverflow` where a question does not fit. */
export interface Prompts {
  /** The passages, the question and its answer; the answer's tokens weigh 1 together, the prompt's `lm`. */
  readonly lesson: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>,
    answer: string,
    lm: number
  ) => Effect.Effect<Sequence, PromptError>
  /** The passages, the question, and one branch an option. */
  readonly choices: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>
  ) => Effect.Effect<Sequence, PromptError>
  /** The passages and the question, to be answered in writing. */
  readonly open: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<number>, PromptError>
  /** The passages, the question and its answer, to be explained. */
  readonly explain: (
    docs: ArrayLike<number>,
    question: string,
    options: ReadonlyArray<string>,
    answer: string
  ) => Effect.Effect<ReadonlyArray<number>, PromptError>
  readonly needs: (
    question: string,
    options: ReadonlyArray<string>,
    answer: string
  ) => Effect.Effect<Needs, ModelRefused>
}

/** The answer as the reader is to give it: the option's text or its letter, or the free answer. */
export const answerText = (
  format: Prompting["answer_format"],
  options: ReadonlyArray<string>,
  answer: string
): string => format === "letter" && options.includes(answer) ? letter(options.indexOf(answer)) : answer

/** What prompts are made with. */
export interface PromptSettings extends TrunkSettings {
  readonly generation: Pick<
    Generation,
    "generation_prompt" | "rationale_prompt" | "max_new_tokens" | "rationale_max_new_tokens"
  >
  /** The id after an answer. */
  readonly end: number
}

/** The lengths of what follows a trunk, and of its trunk without passages: what no passage can give way to. */
export interface Needs {
  /** The tokens of a lesson. */
  readonly learned: number
  /** Of all options side by side. */
  readonly chosen: number
  /** Of an answer in writing. */
  readonly written: number
  /** Of an answer, the longest of the options, and its explanation. */
  readonly explained: number
}

/** The prompts of a tokenizer and these settings. */
export const make = (settings: PromptSettings): Prompts => {
  const { config, end, generation, tokenizer } = settings
  const trunk = trunkOf(settings)
  const said = (text: string) => tokenizer.encode(fill(config, "answer_prompt", text))
  const answered = (options: ReadonlyArray<string>, answer: string): Ids => [
    ...said(answerText(config.answer_format, options, answer)),
    end
  ]
  /** Each option as an answer; by letter also those of the same text are told apart. */
  const each = (options: ReadonlyArray<string>): ReadonlyArray<Ids> =>
    options.map((option, i) => [...said(config.answer_format === "letter" ? letter(i) : option), end])
  const [opening, reason] = [generation.generation_prompt, generation.rationale_prompt].map(tokenizer.encode) as [
    Ids,
    Ids
  ]
  const sum = (rows: ReadonlyArray<Ids>) => rows.reduce((n, { length }) => n + length, 0)

  /** The trunk, with room for so many tokens after it; never empty. */
  const begun = (asked: Asks, after: number) =>
    Effect.map(trunk.of(...asked, config.max_length - after), (head) => head.length > 0 ? head : [end])
  const continued = (asked: Asks, after: Ids, more: number) =>
    Effect.map(begun(asked, after.length + more), (head) => [...head, ...after])

  return {
    lesson: (docs, question, options, answer, lm) => {
      const tail = answered(options, answer)
      return Effect.map(begun([docs, question, options], tail.length), (head) => {
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
      const tails = each(options)
      return Effect.map(begun([docs, question, options], sum(tails)), (head) => branch(head, tails))
    },
    open: (docs, question, options) => continued([docs, question, options], opening, generation.max_new_tokens),
    explain: (docs, question, options, answer) =>
      continued(
        [docs, question, options],
        [...said(answerText(config.answer_format, options, answer)), ...reason],
        generation.rationale_max_new_tokens
      ),
    needs: Effect.fnUntraced(function*(question, options, answer) {
      const bare = yield* trunk.bare(question, options)
      const tails = each(options)
      const longest = Math.max(generation.max_new_tokens, ...tails.map((tail) => tail.length - 1))
      return {
        learned: bare + answered(options, answer).length,
        chosen: bare + sum(tails),
        written: bare + opening.length + generation.max_new_tokens,
        explained: bare + longest + reason.length + generation.rationale_max_new_tokens
      }
    })
  }
}
type Ids = ReadonlyArray<number>
type Asks = readonly [docs: ArrayLike<number>, question: string, options: ReadonlyArray<string>]

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
