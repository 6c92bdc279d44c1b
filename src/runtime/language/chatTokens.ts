/** Tokenises chats: as plain text, or through the model's chat template. */
import * as Effect from "effect/Effect"
import { type Chat, imagesIn, type Message, type Part, type Text, textOf, textsIn } from "../../domain/Content.ts"
import type { ImageError } from "../ports/Images.ts"
import { ContextOverflow, type ModelRefused } from "../ports/LanguageModel.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"
import * as PictureTokens from "./pictureTokens.ts"
import type { ChatTemplate } from "./templates/chatTemplate.ts"
import type { Piece } from "./templates/jinja/render.ts"

/** Token ids. */
export type Ids = ReadonlyArray<number>
/** A chat that does not fit, that the chat template rejects, or whose pictures cannot be read. */
export type PromptError = ContextOverflow | ModelRefused | ImageError

/** Options of tokenising chats. */
export interface ChatTokensOptions extends PictureTokens.Seer {
  readonly tokenizer: Pick<Tokenizer, "encode">
  /** Ids at the start of the plain text, or the chat template. */
  readonly wrap: Ids | ChatTemplate
  /** Maximum tokens of a chat with its continuation. */
  readonly max_length: number
}

/** Chats as token ids. */
export interface ChatTokens {
  /**
   * A chat in at most `max_length - after` tokens. If it is too long, the parts that yield are truncated from the
   * front, pictures as a whole; then the `cut` spans are. The start of the assistant's answer is never truncated.
   */
  readonly fit: (chat: Chat, after: number) => Effect.Effect<PictureTokens.Prompted, PromptError>
  /** Number of tokens of a chat without the parts that yield. */
  readonly least: (chat: Chat) => Effect.Effect<number, PromptError>
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

type Mixed = PictureTokens.Mixed

interface Composer {
  readonly ids: (messages: Chat) => Effect.Effect<Mixed, ModelRefused>
  /** Upper bound of the tokens before the first part that yields, which do not depend on that part. */
  readonly before: (messages: Chat) => Effect.Effect<number, ModelRefused>
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
const plain = (
  { tokenizer: { encode } }: ChatTokensOptions,
  start: Ids,
  { check, number }: PictureTokens.Pictures
): Composer => {
  const known = remembering<Ids>(KEPT)
  const words = ({ most, text }: Text): Ids =>
    most === undefined ? encode(text) : known(`${most} ${text}`, () => encode(text).slice(0, most))
  const part = (own: Part): Effect.Effect<Mixed, ModelRefused> =>
    own._tag === "Image" ? Effect.succeed([number(own.image)]) : check(words(own), own.text)
  const ids = (messages: Chat) =>
    Effect.suspend(() =>
      Effect.map(
        Effect.forEach(messages.flatMap(({ content }) => content), part),
        (all): Mixed => [...start, ...all.flat()]
      )
    )
  return { ids, before: (messages) => Effect.map(ids(untilYielding(messages)), ({ length }) => length) }
}

/** Length of the common prefix, up to `most`. */
const shared = (a: Ids, b: Ids, most = Infinity): number => {
  let n = 0
  while (n < most && n < a.length && a[n] === b[n]) n++
  return n
}

/** Pieces with neighbouring texts as one: a template may put blanks around each. */
const joined = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const all: Array<Piece> = []
  for (const piece of pieces) {
    const last = all.at(-1)
    if (last?.type !== "text" || piece.type !== "text") all.push(piece)
    else all[all.length - 1] = { type: "text", text: last.text + piece.text }
  }
  return all
}

/** Chat template: the rendered text is tokenised as a whole, with a token in each picture's place. */
const templated = (
  { tokenizer: { encode } }: ChatTokensOptions,
  { compose }: ChatTemplate,
  { replace }: PictureTokens.Pictures
): Composer => {
  const known = remembering<string>(KEPT)
  const words = ({ most, text }: Text): string =>
    most === undefined ? text : known(`${most} ${text}`, () => beginning(text, most, encode))
  const piece = (own: Part): Piece => own._tag === "Image" ? { type: "image" } : { type: "text", text: words(own) }
  const said = ({ content, role }: Message) => ({ role, content: joined(content.map(piece)) })
  const starts = new Map<string, number>()
  return {
    ids: (messages) =>
      Effect.flatMap(compose([messages.map(said)]), ([text]) => replace(encode(text!), imagesOf(messages))),
    before: Effect.fnUntraced(function*(messages) {
      const chat = untilYielding(messages)
      const head = chat.map(said)
      const key = JSON.stringify(head)
      const last = head.at(-1)!
      const probe = (word: string) => [...head.slice(0, -1), {
        ...last,
        content: joined([...last.content, { type: "text", text: word }])
      }]
      if (!starts.has(key)) {
        const [a, b] = yield* compose([probe("a"), probe("7")])
        starts.set(key, shared(encode(a!), encode(b!)))
      }
      return starts.get(key)!
    })
  }
}

const imagesOf = (chat: Chat): ReadonlyArray<string> => chat.flatMap(({ content }) => imagesIn(content))

const withoutYielding = (chat: Chat): Chat =>
  chat.map((message) => ({ ...message, content: message.content.filter((part) => !part.yields) }))

/** The chat with its `cut` spans replaced by `words`. */
const replaced = (chat: Chat, words: string): Chat =>
  chat.map((message) => ({
    ...message,
    content: message.content.map((part) => {
      if (part._tag === "Image") return part
      const ends = [0, ...(part.cut ?? []).map(([, to]) => to)]
      const between = ends.map((end, i) => part.text.slice(end, part.cut?.[i]?.[0]))
      return { ...part, text: between.join(words) }
    })
  }))

/** The text of a chat's first `cut` span. */
const wordsOf = (chat: Chat): string | undefined => {
  const part = chat.flatMap(({ content }) => textsIn(content)).find(({ cut }) => cut && cut.length > 0)
  return part?.text.slice(...part.cut![0]!)
}

/** A short excerpt of a chat for error messages. */
const brief = (chat: Chat): string => textOf(chat.at(-1)?.content ?? []).trim().slice(0, 80)

/** Tokenises chats for a model. */
export const make = (options: ChatTokensOptions): ChatTokens => {
  const { max_length, tokenizer: { encode }, wrap } = options
  const pictures = PictureTokens.make(options)
  const { cost, expanded, number, see } = pictures
  const composer = "render" in wrap ? templated(options, wrap, pictures) : plain(options, wrap, pictures)
  /** The messages, and the tokens of the start of the assistant's answer. */
  const parted = (chat: Chat): readonly [messages: Chat, begun: Mixed] => {
    const last = chat.at(-1)
    if (last?.role !== "assistant") return [chat, []]
    const begun = last.content.flatMap((part) => part._tag === "Image" ? [number(part.image)] : encode(part.text))
    return [chat.slice(0, -1), begun]
  }

  const known = new Map<string, string>()
  /** Shortens the `cut` words from the front until the chat fits; "" if it never does. */
  const shortened = Effect.fnUntraced(function*(bare: Chat, words: string, room: number) {
    const key = JSON.stringify([room, bare])
    let most = encode(words).length
    for (let short = known.get(key) ?? words; most > 0; short = ending(words, most, encode)) {
      const length = cost(yield* composer.ids(replaced(bare, short)))
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

  const within = Effect.fnUntraced(function*(messages: Chat, room: number) {
    const ids = yield* composer.ids(messages)
    const over = cost(ids) - room
    if (over <= 0) return ids
    const bare = withoutYielding(messages)
    const alone = yield* composer.ids(bare)
    const least = cost(alone)
    if (least >= room) return least === room ? alone : yield* cut(bare, room, least)
    const from = shared(ids, alone, yield* composer.before(messages))
    let [to, freed] = [from, 0]
    while (freed < over) freed += cost([ids[to++]!])
    return [...ids.slice(0, from), ...ids.slice(to)]
  })

  return {
    fit: Effect.fnUntraced(function*(chat, after) {
      const images = imagesOf(chat)
      yield* see(images)
      const [messages, begun] = parted(chat)
      const ids = [...yield* within(messages, max_length - after - cost(begun)), ...begun]
      return yield* expanded(ids, images.length)
    }),
    least: Effect.fnUntraced(function*(chat) {
      yield* see(imagesOf(chat))
      const [messages, begun] = parted(chat)
      return cost(yield* composer.ids(withoutYielding(messages))) + cost(begun)
    })
  }
}
