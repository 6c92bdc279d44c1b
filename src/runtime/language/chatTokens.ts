/** Tokenises chats: as plain text, or through the model's chat template. */
import * as Effect from "effect/Effect"
import { type Chat, imagesIn, type Message, type Part, type Text, textOf, textsIn } from "../../domain/Content.ts"
import type { ImageError } from "../ports/Images.ts"
import { ContextOverflow, ModelRefused } from "../ports/LanguageModel.ts"
import type { Tokenizer } from "../tokenizers/tokenizer.ts"
import { beginning, ending } from "./cutting.ts"
import { type Parted, placesIn } from "./partPlaces.ts"
import * as PictureTokens from "./pictureTokens.ts"
import type { ChatTemplate } from "./templates/chatTemplate.ts"
import type { Piece } from "./templates/jinja/render.ts"

export type { Parted } from "./partPlaces.ts"

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
  /** The same of a chat without pictures, with the part that each token belongs to. */
  readonly parted: (chat: Chat, after: number) => Effect.Effect<Parted, PromptError>
  /** Number of tokens of a chat without the parts that yield. */
  readonly least: (chat: Chat) => Effect.Effect<number, PromptError>
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

type Mixed = PictureTokens.Mixed

interface Composer {
  readonly ids: (messages: Chat) => Effect.Effect<Mixed, ModelRefused>
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
  const pieces = (messages: Chat) =>
    Effect.suspend(() =>
      Effect.forEach(
        messages.flatMap(({ content }) => content),
        (own) => Effect.map(part(own), (ids) => ({ ids, yields: own.yields ?? false }))
      )
    )
  const ids = (messages: Chat) =>
    Effect.map(pieces(messages), (all): Mixed => [...start, ...all.flatMap((own) => own.ids)])
  return {
    ids,
    before: (messages) => Effect.map(ids(untilYielding(messages)), ({ length }) => length),
    spans: (messages) =>
      Effect.map(pieces(messages), (all) => {
        let at = start.length
        return all.flatMap((own) => {
          const from = at
          at += own.ids.length
          return own.yields ? [[from, at] as const] : []
        })
      })
  }
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
  { compose, refuse }: ChatTemplate,
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
    }),
    spans: Effect.fnUntraced(function*(messages) {
      const [text] = yield* compose([messages.map(said)])
      const shown = messages.map(({ content }) =>
        textsIn(content).map((own) => ({ text: words(own), yields: own.yields ?? false }))
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

  /** The tokens that fit, and which of all tokens were left out: from..to-1; `undefined` if no part that yields is left. */
  const within = Effect.fnUntraced(function*(messages: Chat, room: number) {
    const ids = yield* composer.ids(messages)
    const over = cost(ids) - room
    if (over <= 0) return { ids, out: [0, 0] as const }
    const bare = withoutYielding(messages)
    const alone = yield* composer.ids(bare)
    const least = cost(alone)
    if (least >= room) {
      const ids = least === room ? alone : yield* cut(bare, room, least)
      return { ids, out: undefined }
    }
    const from = shared(ids, alone, yield* composer.before(messages))
    let [to, freed] = [from, 0]
    while (freed < over) freed += cost([ids[to++]!])
    return { ids: [...ids.slice(0, from), ...ids.slice(to)], out: [from, to] as const }
  })

  /** A prompt's messages in at most `max_length - after` tokens, and the start of the answer. */
  const fitted = Effect.fnUntraced(function*(chat: Chat, after: number) {
    const [messages, begun] = parted(chat)
    return { messages, begun, ...yield* within(messages, max_length - after - cost(begun)) }
  })

  return {
    fit: Effect.fnUntraced(function*(chat, after) {
      const images = imagesOf(chat)
      yield* see(images)
      const { begun, ids } = yield* fitted(chat, after)
      return yield* expanded([...ids, ...begun], images.length)
    }),
    parted: Effect.fnUntraced(function*(chat, after) {
      if (imagesOf(chat).length > 0) {
        const reason = "how much parts of a prompt are attended to is told of texts, and this prompt has a picture"
        return yield* new ModelRefused({ path: options.folder ?? "the model", place: "", reason })
      }
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
      yield* see(imagesOf(chat))
      const [messages, begun] = parted(chat)
      return cost(yield* composer.ids(withoutYielding(messages))) + cost(begun)
    })
  }
}
