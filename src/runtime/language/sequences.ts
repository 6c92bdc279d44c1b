/** Prompts with their continuations as token sequences, with the tokens to predict. */
import * as Effect from "effect/Effect"
import type { Chat } from "../../domain/Content.ts"
import type { Shown } from "../pictures/reading.ts"
import { ModelRefused, type TokenRow } from "../ports/LanguageModel.ts"
import * as ChatTokens from "./chatTokens.ts"
import * as PictureTokens from "./pictureTokens.ts"

/** A token to predict. */
export interface Supervised {
  /** Position of the token before it, whose output predicts it. */
  readonly row: number
  readonly target: number
  /** Weight in the loss of its sequence. */
  readonly weight: number
  /** Index of the continuation it belongs to, 0 if there is only one; -1 for the prompt. */
  readonly part: number
}

/**
 * A sequence: a shared prefix (the prompt), and one or more branches (continuations) that do not attend to each other.
 */
export interface Sequence {
  readonly ids: ReadonlyArray<number>
  readonly positions: ReadonlyArray<number>
  /** 0 for the prompt, k for the k-th branch. */
  readonly branches: ReadonlyArray<number>
  readonly supervised: ReadonlyArray<Supervised>
  /** Pictures in the order in which they are read; none by default. */
  readonly pictures?: ReadonlyArray<Shown>
  /** Of sequences with pictures, for each token: the row of the pictures' features, one after the other; -1 for none. */
  readonly places?: ReadonlyArray<number>
}

/** How much the tokens of a row's example weigh: `learned` of them are learned. */
export type Weighing = (learned: number) => number

/** The sequence of a row of tokens: a branch for each example, without a prompt. Learned tokens are all of part 0. */
export const ofRow = ({ ids, learned, starts }: TokenRow, weigh: Weighing): Sequence => {
  const [branches, positions, weights] = [new Array<number>(), new Array<number>(), new Array<number>()]
  for (let k = 0; k < starts.length; k++) {
    const [from, to] = [starts[k]!, starts[k + 1] ?? ids.length]
    let count = 0
    for (let i = from; i < to; i++) count += learned[i]!
    for (let i = from; i < to; i++) {
      branches.push(starts.length === 1 ? 0 : k + 1)
      positions.push(i - from)
      weights.push(weigh(count))
    }
  }
  const supervised = Array.from(ids).flatMap((target, i): ReadonlyArray<Supervised> =>
    learned[i] === 1 ? [{ row: i - 1, target, weight: weights[i]!, part: 0 }] : []
  )
  return { ids: Array.from(ids), positions, branches, supervised }
}

/** Options of building sequences. */
export interface SequencesOptions extends ChatTokens.ChatTokensOptions {
  /** The eos id appended to a continuation. */
  readonly end: number
}

type Made<A> = Effect.Effect<A, ChatTokens.PromptError>

/** Builds token sequences from prompts and continuations; fails if a prompt does not fit. */
export interface Sequences {
  /**
   * A prompt and its continuation. The weights of the continuation's tokens sum to 1, those of the prompt's to `lm`.
   */
  readonly one: (prompt: Chat, continuation: string, lm: number) => Made<Sequence>
  /** The same without weight on the prompt, with the part that yields of each token, see `Parted`. */
  readonly parted: (prompt: Chat, continuation: string) => Made<Sequence & Pick<ChatTokens.Parted, "parts">>
  /** A prompt with one branch per continuation, each with eos unless they are `open`. */
  readonly several: (prompt: Chat, continuations: ReadonlyArray<string>, end?: "eos" | "open") => Made<Sequence>
  /** A prompt, leaving room for `most` tokens. */
  readonly open: (prompt: Chat, most: number) => Made<PictureTokens.Prompted>
  /** A row of tokens with its pictures, see `ofRow`. */
  readonly row: (row: TokenRow, weigh: Weighing) => Made<Sequence>
  /** The tokens of a continuation, with eos. */
  readonly continuation: (text: string) => ChatTokens.Ids
  /** Number of tokens of a prompt without the parts that yield. */
  readonly least: ChatTokens.ChatTokens["least"]
}

/** Builds token sequences for a model. */
export const make = (options: SequencesOptions): Sequences => {
  const { end, folder = "the model", sight, tokenizer } = options
  const { fit, least, parted } = ChatTokens.make(options)
  const continuation = (text: string): ChatTokens.Ids => [...tokenizer.encode(text), end]
  /** The prompt, leaving room for `after` tokens; never empty. */
  const head = (prompt: Chat, after: number) =>
    Effect.map(fit(prompt, after), (own) => own.ids.length > 0 ? own : { ids: [end], pictures: [] })
  /** The prompt before these continuations, none of which may show a picture. */
  const before = (prompt: Chat, tails: ReadonlyArray<ChatTokens.Ids>): Made<PictureTokens.Prompted> => {
    if (!sight || !tails.some((tail) => tail.includes(sight.id))) {
      return head(prompt, tails.reduce((n, { length }) => n + length, 0))
    }
    const reason = `an answer has the words ${sight.token}, which stand for a picture here`
    return new ModelRefused({ path: folder, place: "", reason })
  }
  return {
    one: (prompt, text, lm) => {
      const tail = continuation(text)
      return Effect.map(before(prompt, [tail]), (own) => single(own, tail, lm))
    },
    parted: (prompt, text) => {
      const tail = continuation(text)
      return Effect.map(parted(prompt, tail.length), ({ ids, parts }) => {
        const own = single({ ids: ids.length > 0 ? ids : [end], pictures: [] }, tail, 0)
        return { ...own, parts: own.ids.map((_, i) => parts[i] ?? -1) }
      })
    },
    several: (prompt, texts, ending = "eos") => {
      const tails = texts.map((text) => ending === "eos" ? continuation(text) : [...tokenizer.encode(text)])
      return Effect.map(before(prompt, tails), (own) => branched(own, tails))
    },
    open: head,
    row: (row, weigh) =>
      Effect.map(PictureTokens.ofRow(options, row.ids, row.pictures ?? []), (pictures) => {
        const own = ofRow(row, weigh)
        if (pictures.length === 0) return own
        let next = 0
        return { ...own, pictures, places: own.ids.map((id) => id === sight?.id ? next++ : -1) }
      }),
    continuation,
    least
  }
}

/** Pictures and places of a sequence that begins with a prompt. */
const seen = ({ pictures, places }: PictureTokens.Prompted, after: number) => ({
  pictures,
  ...(places ? { places: [...places, ...Array.from({ length: after }, () => -1)] } : {})
})

/** With `lm`, the prompt's words are predicted too, but not the tokens that stand for its pictures. */
const single = (head: PictureTokens.Prompted, tail: ChatTokens.Ids, lm: number): Sequence => {
  const { ids: { length }, places } = head
  const ids = [...head.ids, ...tail]
  const isWord = (at: number) => at >= length || (places?.[at] ?? -1) < 0
  const predicted = [...ids.keys()].slice(lm > 0 ? 1 : length).filter(isWord)
  const words = predicted.length - tail.length
  return {
    ids,
    positions: ids.map((_, i) => i),
    branches: ids.map(() => 0),
    supervised: predicted.map((at) => ({
      row: at - 1,
      target: ids[at]!,
      weight: at < length ? lm / words : 1 / tail.length,
      part: at < length ? -1 : 0
    })),
    ...seen(head, tail.length)
  }
}

/** Continuations that share a prefix: each attends to the prefix and itself, at the positions it would have alone. */
const branched = (prompt: PictureTokens.Prompted, tails: ReadonlyArray<ChatTokens.Ids>): Sequence => {
  const head = prompt.ids
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
    ),
    ...seen(prompt, tails.reduce((n, { length }) => n + length, 0))
  }
}
