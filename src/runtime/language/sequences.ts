/** Prompts with their continuations as sequences of tokens, of which some are to be predicted. */
import * as Effect from "effect/Effect"
import type { Chat } from "../../domain/Content.ts"
import * as ChatTokens from "./chatTokens.ts"

/** A token to be predicted. */
export interface Supervised {
  /** Place of the token that predicts it. */
  readonly row: number
  readonly target: number
  /** In the loss of its sequence. */
  readonly weight: number
  /** The continuation it belongs to, 0 for the only one, -1 for the prompt. */
  readonly part: number
}

/** A sequence, or a prompt with branches that do not see each other (several continuations). */
export interface Sequence {
  readonly ids: ReadonlyArray<number>
  readonly positions: ReadonlyArray<number>
  /** 0 for the prompt, k for the k-th branch. */
  readonly branches: ReadonlyArray<number>
  readonly supervised: ReadonlyArray<Supervised>
}

/** What sequences are made with. */
export interface SequencesOptions extends ChatTokens.ChatTokensOptions {
  /** The id after a continuation. */
  readonly end: number
}

type Made<A> = Effect.Effect<A, ChatTokens.PromptError>

/** Prompts and continuations as sequences of tokens; each fails where a prompt does not fit. */
export interface Sequences {
  /** A prompt and its continuation, whose tokens weigh 1 together, the prompt's `lm`. */
  readonly one: (prompt: Chat, continuation: string, lm: number) => Made<Sequence>
  /** A prompt, and one branch a continuation. */
  readonly several: (prompt: Chat, continuations: ReadonlyArray<string>) => Made<Sequence>
  /** A prompt with room for `most` tokens after it. */
  readonly open: (prompt: Chat, most: number) => Made<ChatTokens.Ids>
  /** The tokens of a continuation, with its end. */
  readonly continuation: (text: string) => ChatTokens.Ids
  /** The tokens of a prompt without the parts that yield. */
  readonly least: ChatTokens.ChatTokens["least"]
}

/** Sequences as the tokens of a model. */
export const make = (options: SequencesOptions): Sequences => {
  const { end, tokenizer } = options
  const { fit, least } = ChatTokens.make(options)
  const continuation = (text: string): ChatTokens.Ids => [...tokenizer.encode(text), end]
  /** The prompt with room for so many tokens after it; never empty. */
  const head = (prompt: Chat, after: number) => Effect.map(fit(prompt, after), (ids) => ids.length > 0 ? ids : [end])
  return {
    one: (prompt, text, lm) => {
      const tail = continuation(text)
      return Effect.map(head(prompt, tail.length), (ids) => single(ids, tail, lm))
    },
    several: (prompt, texts) => {
      const tails = texts.map(continuation)
      return Effect.map(head(prompt, tails.reduce((n, { length }) => n + length, 0)), (ids) => branched(ids, tails))
    },
    open: head,
    continuation,
    least
  }
}

const single = (head: ChatTokens.Ids, tail: ChatTokens.Ids, lm: number): Sequence => {
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
}

/** Continuations of one head, side by side: each sees the head and itself, at the places it would have alone. */
const branched = (head: ChatTokens.Ids, tails: ReadonlyArray<ChatTokens.Ids>): Sequence => {
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
