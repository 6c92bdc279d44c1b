/** The beginning that prompts share: passages and the question, as plain text or as a user's message, within a length. */
import * as Effect from "effect/Effect"
import { withOptions } from "../../domain/records/options.ts"
import { fill } from "../../domain/settings/placeholders.ts"
import type { Prompting } from "../../domain/settings/prompting.ts"
import { ContextOverflow, type ModelRefused } from "../ports/Reader.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"
import type { ChatTemplate } from "./templates/chatTemplate.ts"

type Ids = ReadonlyArray<number>
/** A prompt that does not fit, or that the model's chat template refuses. */
export type PromptError = ContextOverflow | ModelRefused

/** What the beginnings of prompts are made with. */
export interface TrunkSettings {
  readonly config: Prompting
  readonly tokenizer: Pick<Tokenizer, "encode">
  readonly texts: ReadonlyArray<string>
  /** Ids before a plain text, or the template of a user's message. */
  readonly wrap: Ids | ChatTemplate
}

/** The beginnings of prompts, as token ids. */
export interface Trunk {
  /**
   * At most `room` tokens, the question's at the end. Where they do not suffice, passages are cut from the front (the
   * worst); then, with `excess_length: truncate`, the beginning of the question.
   */
  readonly of: (
    docs: ArrayLike<number>,
    question: string,
    options: Options,
    room: number
  ) => Effect.Effect<Ids, PromptError>
  /** Its tokens without passages. */
  readonly bare: (question: string, options: Options) => Effect.Effect<number, ModelRefused>
}
type Options = ReadonlyArray<string>

/** Not within a character of two units. */
const whole = (text: string, at: number): number => /[\uDC00-\uDFFF]/.test(text[at] ?? "") ? at + 1 : at

/** The least of 0..hi at which a rising condition holds; `hi` where it holds nowhere before. */
const least = (hi: number, holds: (at: number) => boolean): number => {
  let [from, to] = [0, hi]
  while (from < to) {
    const middle = (from + to) >> 1
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** Kept values of the last `most` keys. */
const remembering = <A>(most: number) => {
  const kept = new Map<string | number, A>()
  return (key: string | number, make: () => A): A => {
    const existing = kept.get(key)
    if (existing !== undefined) return existing
    const made = make()
    if (kept.size >= most) kept.delete(kept.keys().next().value!)
    kept.set(key, made)
    return made
  }
}

/** Passages whose tokens or texts are kept. */
const KEPT = 20_000

type Encode = Tokenizer["encode"]

/** The beginning of a text, as much of it as has at most so many tokens. */
const beginning = (text: string, most: number, encode: Encode): string => {
  if (encode(text).length <= most) return text
  const first = least(text.length, (at) => encode(text.slice(0, whole(text, at))).length > most)
  return text.slice(0, whole(text, Math.max(0, first - 1)))
}

/** The end of a text, as much of it as has at most so many tokens, from the beginning of a word on, where one begins. */
const ending = (text: string, most: number, encode: Encode): string => {
  const first = whole(text, least(text.length, (at) => encode(text.slice(whole(text, at))).length <= most))
  const word = first === 0 ? 0 : /(?<=\s)\S/.exec(text.slice(first - 1))?.index
  return text.slice(word === undefined || first === 0 ? first : first - 1 + word)
}

/** Passages and question as tokens, and how many of them are the same before whatever is asked. */
interface Composed {
  readonly ids: Ids
  readonly start: number
}

/** Plain text: each part is tokenised by itself. */
const plain = ({ config, texts, tokenizer: { encode } }: TrunkSettings, before: Ids) => {
  const known = remembering<Ids>(KEPT)
  const passage = (doc: number) =>
    known(doc, () => encode(fill(config, "document_prompt", texts[doc]!)).slice(0, config.text_maxlength))
  return (docs: ReadonlyArray<number>, asked: string): Effect.Effect<Composed, ModelRefused> =>
    Effect.sync(() => ({ ids: [...before, ...docs.flatMap(passage), ...encode(asked)], start: before.length }))
}

/** A user's message: the template has all of it, and what it makes is tokenised as one. */
const chat = ({ config, texts, tokenizer: { encode } }: TrunkSettings, { render, start }: ChatTemplate) => {
  const known = remembering<string>(KEPT)
  const passage = (doc: number) =>
    known(doc, () => beginning(fill(config, "document_prompt", texts[doc]!), config.text_maxlength, encode))
  return (docs: ReadonlyArray<number>, asked: string): Effect.Effect<Composed, ModelRefused> =>
    Effect.map(render([docs.map(passage).join("") + asked]), ([text]) => ({ ids: encode(text!), start }))
}

/** Tokens at the front that two have in common. */
const shared = (a: Ids, b: Ids, most: number): number => {
  let n = 0
  while (n < most && n < a.length && a[n] === b[n]) n++
  return n
}

/** The beginnings of prompts under these settings. */
export const make = (settings: TrunkSettings): Trunk => {
  const { config, tokenizer, wrap } = settings
  const compose = "render" in wrap ? chat(settings, wrap) : plain(settings, wrap)
  const asked = (question: string, options: Options) =>
    fill(config, "question_prompt", config.options_in_prompt ? withOptions(question, options) : question)
  const bare = (question: string, options: Options) =>
    Effect.map(compose([], asked(question, options)), ({ ids }) => ids.length)

  const known = new Map<string, string>()
  /** The question's end, as much of it as fits by itself with its options; empty where nothing does. */
  const shortened = Effect.fnUntraced(function*(question: string, options: Options, room: number) {
    const key = JSON.stringify([room, question, options])
    let most = tokenizer.encode(question).length
    for (let short = known.get(key) ?? question; most > 0; short = ending(question, most, tokenizer.encode)) {
      const tokens = yield* bare(short, options)
      if (tokens <= room) {
        known.set(key, short)
        return short
      }
      most -= tokens - room
    }
    return ""
  })

  /** As much of the question by itself as fits, where it may be cut. */
  const cut = Effect.fnUntraced(function*(question: string, options: Options, room: number, tokens: number) {
    const short = config.excess_length === "truncate" ? yield* shortened(question, options, room) : ""
    if (short !== "") return (yield* compose([], asked(short, options))).ids
    const whole = { tokens: config.max_length - room + tokens, limit: config.max_length }
    return yield* new ContextOverflow({ ...whole, question: question.slice(0, 80) })
  })

  const of: Trunk["of"] = Effect.fnUntraced(function*(docs, question, options, room) {
    const own = Array.from(docs).filter((doc) => doc >= 0)
    const { ids, start } = yield* compose(own, asked(question, options))
    const over = ids.length - room
    if (over <= 0) return ids
    const alone = (yield* compose([], asked(question, options))).ids
    if (alone.length >= room) return alone.length === room ? alone : yield* cut(question, options, room, alone.length)
    const from = shared(ids, alone, start)
    return [...ids.slice(0, from), ...ids.slice(from + over)]
  })
  return { bare, of }
}
