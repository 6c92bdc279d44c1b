/** The tokens of a GGUF file, and what `tokenizer.json` and `tokenizer_config.json` state of them alike. */
import { brief } from "../../../../domain/brief.ts"
import { Malformed } from "../malformed.ts"
import type { Metadata } from "../metadata.ts"

/** Kinds of tokens, by the number that a file has for them. */
export const kinds = { normal: 1, unknown: 2, control: 3, added: 4, unused: 5, byte: 6 } as const

/** A token with its id. */
export interface Token {
  readonly text: string
  readonly id: number
  readonly kind: number
}

const [TOKENS, KINDS] = ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"]

/** Names that converters give ids without a token, to have as many as the embedding has rows. */
export const fillerOf = (id: number): string => `[PAD${id}]`

/**
 * The tokens in the order of their ids, without fillers.
 *
 * @throws Malformed if two are the same, which `tokenizer.json` cannot state.
 */
export const tokensOf = (metadata: Metadata): ReadonlyArray<Token> => {
  const texts = metadata.texts(TOKENS)
  const types = metadata.has(KINDS) ? metadata.numbers(KINDS) : texts.map(() => kinds.normal)
  if (types.length !== texts.length) {
    throw new Malformed(KINDS, `has ${types.length} elements for ${texts.length} tokens`)
  }
  const seen = new Map<string, number>()
  return texts.flatMap((text, id) => {
    const kind = types[id]!
    const before = seen.get(text)
    if (before !== undefined) throw new Malformed(TOKENS, `${brief(text)} has the ids ${before} and ${id}`)
    seen.set(text, id)
    return kind === kinds.unused && text === fillerOf(id) ? [] : [{ text, id, kind }]
  })
}

/** Special tokens by their key in `tokenizer_config.json`: the keys of metadata that may have their ids. */
const roles: Readonly<Record<string, ReadonlyArray<string>>> = {
  bos_token: ["bos"],
  eos_token: ["eos"],
  unk_token: ["unknown"],
  /** The format's own spelling. */
  sep_token: ["seperator", "separator"],
  pad_token: ["padding"],
  cls_token: ["cls"],
  mask_token: ["mask"]
}

/** The special tokens that a file names, by their key in `tokenizer_config.json`. */
export const specialsOf = (metadata: Metadata): ReadonlyMap<string, Token> => {
  const byId = new Map(tokensOf(metadata).map((token) => [token.id, token]))
  const named = Object.entries(roles).flatMap(([key, names]) => {
    const place = names.map((name) => `tokenizer.ggml.${name}_token_id`).find((each) => metadata.has(each))
    if (place === undefined) return []
    const id = metadata.count(place)
    const token = byId.get(id)
    if (!token) throw new Malformed(place, `${id} is not the id of a token`)
    return [[key, token] as const]
  })
  return new Map(named)
}
