/** Tokenises chats: as plain text, or through the model's chat template. */
import * as Effect from "effect/Effect"
import type { Chat, Message, Part } from "../../domain/Content.ts"
import { textOf } from "../../domain/Content.ts"
import { ContextOverflow, type ModelRefused } from "../ports/LanguageModel.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"
import type { ChatTemplate } from "./templates/chatTemplate.ts"

/** Token ids. */
export type Ids = ReadonlyArray<number>
/** A chat that does not fit, or that the chat template rejects. */
export type PromptError = ContextOverflow | ModelRefused

/** Options of tokenising chats. */
export interface ChatTokensOptions {
  readonly tokenizer: Pick<Tokenizer, "encode">
  /** Ids at the start of the plain text, or the chat template. */
  readonly wrap: Ids | ChatTemplate
  /** Maximum tokens of a chat with its continuation. */
  readonly max_length: number
}

/** Tokens of a chat by its parts. */
export interface Parted {
  readonly ids: Ids
  /** For each token, which of the parts that yield it belongs to, in their order; -1 for none. */
  readonly parts: ReadonlyArray<number>
}

/** Chats as token ids. */
export interface ChatTokens {
  /**
   * A chat in at most `max_length - after` tokens. If it is too long, the parts that yield are truncated from the
   * front; then the `cut` spans are. The start of the assistant's answer is never truncated.
   */
  readonly fit: (chat: Chat, after: number) => Effect.Effect<Ids, PromptError>
  /** The same, with the part that each token belongs to. */
  readonly parted: (chat: Chat, after: number) => Effect.Effect<Parted, PromptError>
  /** Number of tokens of a chat without the parts that yield. */
  readonly least: (chat: Chat) => Effect.Effect<number, ModelRefused>
}

/** Moves an index out of the middle of a surrogate pair. */
const whole = (text: string, at: number): number => /[\uDC00-\uDFFF]/.test(text[at] ?? "") ? at + 1 : at

/** Binary search: the smallest of 0..hi at which a monotone condition holds; `hi` if none below. */
const least = (hi: number, holds: (at: number) => boolean): number => {
  let [from, to] = [0, hi]
  while (from < to) {
    const middle = (from + to) >> 1
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** Caches the last `most` values by key. */
const remembering = <A>(most: number) => {
  const kept = new Map<string, A>()
  return (key: string, make: () => A): A => {
    const existing = kept.get(key)
    if (existing !== undefined) return existing
    const made = make()
    if (kept.size >= most) kept.delete(kept.keys().next().value!)
    kept.set(key, made)
    return made
  }
}

/** Maximum number of cached parts; only parts with a token limit are cached. */
const KEPT = 20_000

type Encode = Tokenizer["encode"]

/** The longest prefix of a text with at most `most` tokens. */
const beginning = (text: string, most: number, encode: Encode): string => {
  if (encode(text).length <= most) return text
  const first = least(text.length, (at) => encode(text.slice(0, whole(text, at))).length > most)
  return text.slice(0, whole(text, Math.max(0, first - 1)))
}

/** The longest suffix of a text with at most `most` tokens, from the next start of a word, if there is one. */
const ending = (text: string, most: number, encode: Encode): string => {
  const first = whole(text, least(text.length, (at) => encode(text.slice(whole(text, at))).length <= most))
  const word = first === 0 ? 0 : /(?<=\s)\S/.exec(text.slice(first - 1))?.index
  return text.slice(word === undefined || first === 0 ? first : first - 1 + word)
}

interface Composer {
  readonly ids: (messages: Chat) => Effect.Effect<Ids, ModelRefused>
  /** Upper bound of the tokens before the first part that yields, which do not depend on that part. */
  readonly before: (messages: Chat) => Effect.Effect<number, ModelRefused>
  /**
   * For each part that yields, the tokens from..to-1 of the messages that are its own. A token of two parts belongs to the later
   * one.
   */
  readonly spans: (messages: Chat) => Effect.Effect<ReadonlyArray<readonly [from: number, to: number]>, ModelRefused>
}

const firstYielding = (chat: Chat): readonly [message: number, part: number] | undefined => {
  const message = chat.findIndex(({ content }) => content.some((part) => part.yields))
  return message < 0 ? undefined : [message, chat[message]!.content.findIndex((part) => part.yields)]
}

/** The messages before the first part that yields, up to that part. */
const untilYielding = (chat: Chat): Chat => {
  const [m, p] = firstYielding(chat) ?? [chat.length, 0]
  const last = chat[m]
  return last ? [...chat.slice(0, m), { ...last, content: last.content.slice(0, p) }] : chat
}

/** Plain text: each part is tokenised separately. */
const plain = ({ tokenizer: { encode } }: ChatTokensOptions, start: Ids): Composer => {
  const known = remembering<Ids>(KEPT)
  const part = ({ most, text }: Part): Ids =>
    most === undefined ? encode(text) : known(`${most} ${text}`, () => encode(text).slice(0, most))
  const ids = (messages: Chat): Ids => [...start, ...messages.flatMap(({ content }) => content.flatMap(part))]
  return {
    ids: (messages) => Effect.sync(() => ids(messages)),
    before: (messages) => Effect.sync(() => ids(untilYielding(messages)).length),
    spans: (messages) =>
      Effect.sync(() => {
        let at = start.length
        return messages.flatMap(({ content }) => content).flatMap((own) => {
          const from = at
          at += part(own).length
          return own.yields ? [[from, at] as const] : []
        })
      })
  }
}

/** Where the parts that yield stand in a rendered text: characters from..to-1; `undefined` if a message is not in it as it is. */
const placesIn = (
  text: string,
  messages: ReadonlyArray<ReadonlyArray<{ readonly text: string; readonly yields: boolean }>>
) => {
  const places: Array<readonly [number, number]> = []
  let after = 0
  for (const parts of messages) {
    const whole = parts.map((own) => own.text).join("")
    const trimmed = whole.trim()
    const found = text.indexOf(trimmed, after)
    if (found < 0) return undefined
    let at = found - whole.indexOf(trimmed)
    for (const own of parts) {
      if (own.yields) places.push([Math.max(found, at), Math.min(found + trimmed.length, at + own.text.length)])
      at += own.text.length
    }
    after = found + trimmed.length
  }
  return places
}

/** Length of the common prefix, up to `most`. */
const shared = (a: Ids, b: Ids, most = Infinity): number => {
  let n = 0
  while (n < most && n < a.length && a[n] === b[n]) n++
  return n
}

/** Chat template: the rendered text is tokenised as a whole. */
const templated = ({ tokenizer: { encode } }: ChatTokensOptions, { refuse, render }: ChatTemplate): Composer => {
  const known = remembering<string>(KEPT)
  const part = ({ most, text }: Part): string =>
    most === undefined ? text : known(`${most} ${text}`, () => beginning(text, most, encode))
  const said = ({ content, role }: Message) => ({ role, content: content.map(part).join("") })
  const starts = new Map<string, number>()
  return {
    ids: (messages) => Effect.map(render([messages.map(said)]), ([text]) => encode(text!)),
    before: Effect.fnUntraced(function*(messages) {
      const head = untilYielding(messages).map(said)
      const key = JSON.stringify(head)
      const last = head.at(-1)!
      const probe = (word: string) => [...head.slice(0, -1), { ...last, content: last.content + word }]
      if (!starts.has(key)) {
        const [a, b] = yield* render([probe("a"), probe("7")])
        starts.set(key, shared(encode(a!), encode(b!)))
      }
      return starts.get(key)!
    }),
    spans: Effect.fnUntraced(function*(messages) {
      const [text] = yield* render([messages.map(said)])
      const shown = messages.map(({ content }) =>
        content.map((own) => ({ text: part(own), yields: own.yields ?? false }))
      )
      const places = placesIn(text!, shown)
      if (places === undefined) {
        return yield* refuse("prints a message otherwise than it is: which tokens are a passage's cannot be told")
      }
      const whole = encode(text!)
      const tokensTo = (at: number) => shared(whole, encode(text!.slice(0, at)))
      return places.map(([from, to]) => [tokensTo(from), tokensTo(to)] as const)
    })
  }
}

const withoutYielding = (chat: Chat): Chat =>
  chat.map((message) => ({ ...message, content: message.content.filter((part) => !part.yields) }))

/** The chat with its `cut` spans replaced by `words`. */
const replaced = (chat: Chat, words: string): Chat =>
  chat.map((message) => ({
    ...message,
    content: message.content.map((part) => {
      const ends = [0, ...(part.cut ?? []).map(([, to]) => to)]
      const between = ends.map((end, i) => part.text.slice(end, part.cut?.[i]?.[0]))
      return { ...part, text: between.join(words) }
    })
  }))

/** The text of a chat's first `cut` span. */
const wordsOf = (chat: Chat): string | undefined => {
  const part = chat.flatMap(({ content }) => content).find(({ cut }) => cut && cut.length > 0)
  return part?.text.slice(...part.cut![0]!)
}

/** A short excerpt of a chat for error messages. */
const brief = (chat: Chat): string => textOf(chat.at(-1)?.content ?? []).trim().slice(0, 80)

/** Tokenises chats for a model. */
export const make = (options: ChatTokensOptions): ChatTokens => {
  const { max_length, tokenizer: { encode }, wrap } = options
  const composer = "render" in wrap ? templated(options, wrap) : plain(options, wrap)
  /** The messages, and the tokens of the start of the assistant's answer. */
  const parted = (chat: Chat): readonly [messages: Chat, begun: Ids] => {
    const last = chat.at(-1)
    if (last?.role !== "assistant") return [chat, []]
    return [chat.slice(0, -1), last.content.flatMap(({ text }) => encode(text))]
  }

  const known = new Map<string, string>()
  /** Shortens the `cut` words from the front until the chat fits; "" if it never does. */
  const shortened = Effect.fnUntraced(function*(bare: Chat, words: string, room: number) {
    const key = JSON.stringify([room, bare])
    let most = encode(words).length
    for (let short = known.get(key) ?? words; most > 0; short = ending(words, most, encode)) {
      const { length } = yield* composer.ids(replaced(bare, short))
      if (length <= room) {
        known.set(key, short)
        return short
      }
      most -= length - room
    }
    return ""
  })

  const cut = Effect.fnUntraced(function*(bare: Chat, room: number, tokens: number) {
    const words = wordsOf(bare)
    const short = words === undefined ? "" : yield* shortened(bare, words, room)
    if (short !== "") return yield* composer.ids(replaced(bare, short))
    return yield* new ContextOverflow({ tokens: max_length - room + tokens, limit: max_length, prompt: brief(bare) })
  })

  /** The tokens that fit, and which of all tokens were left out: from..to-1; `undefined` if no part that yields is left. */
  const within = Effect.fnUntraced(function*(messages: Chat, room: number) {
    const ids = yield* composer.ids(messages)
    const over = ids.length - room
    if (over <= 0) return { ids, out: [0, 0] as const }
    const bare = withoutYielding(messages)
    const alone = yield* composer.ids(bare)
    if (alone.length >= room) {
      const ids = alone.length === room ? alone : yield* cut(bare, room, alone.length)
      return { ids, out: undefined }
    }
    const from = shared(ids, alone, yield* composer.before(messages))
    return { ids: [...ids.slice(0, from), ...ids.slice(from + over)], out: [from, from + over] as const }
  })

  /** A prompt's messages in at most `max_length - after` tokens, and the start of the answer. */
  const fitted = Effect.fnUntraced(function*(chat: Chat, after: number) {
    const [messages, begun] = parted(chat)
    return { messages, begun, ...yield* within(messages, max_length - after - begun.length) }
  })

  return {
    fit: (chat, after) => Effect.map(fitted(chat, after), ({ begun, ids }) => [...ids, ...begun]),
    parted: Effect.fnUntraced(function*(chat, after) {
      const { begun, ids, messages, out } = yield* fitted(chat, after)
      const spans = out === undefined ? [] : yield* composer.spans(messages)
      const [left, right] = out ?? [0, 0]
      const partAt = (i: number): number => {
        const at = i < left ? i : i + right - left
        return spans.findIndex(([from, to]) => from <= at && at < to)
      }
      return {
        ids: [...ids, ...begun],
        parts: [...ids.keys(), ...begun.map(() => -1)].map((i) => i < 0 ? -1 : partAt(i))
      }
    }),
    least: Effect.fnUntraced(function*(chat) {
      const [messages, begun] = parted(chat)
      return (yield* composer.ids(withoutYielding(messages))).length + begun.length
    })
  }
}
