/** A `tokenizer.json` as GGUF's metadata: the inverse of `tokenizer.ts`, for tokenizers that GGUF has a form for. */
import { brief } from "../../../../domain/brief.ts"
import { isObject } from "../../config/keys.ts"
import { Malformed } from "../malformed.ts"
import type { Entry } from "../write.ts"
import { preTokenizers } from "./preTokenizers.ts"
import { mergesBy } from "./sentencePiece.ts"
import { bertText, isBracketed } from "./tokenizer.ts"
import { fillerOf, kinds, type Token } from "./vocabulary.ts"

type Json = Readonly<Record<string, unknown>>
type Stated = ReadonlyArray<readonly [key: string, entry: Entry]>

const refuse = (place: string, reason: string): never => {
  throw new Malformed(place, `${reason}, which has no form in GGUF`)
}

const object = (value: unknown): Json => isObject(value) ? value : {}

/** Keys without effect on ids. */
const idle = new Set(["trim_offsets"])

/** A component without what has no effect: offsets, sequences of one or none. */
const plain = (value: unknown): unknown => {
  if (!isObject(value)) return value ?? null
  const parts = value["normalizers"] ?? value["pretokenizers"]
  if (Array.isArray(parts) && parts.length < 2) return plain(parts[0])
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !idle.has(key)).toSorted(([a], [b]) => a < b ? -1 : 1)
      .map(([key, own]) => [key, Array.isArray(own) ? own.map(plain) : isObject(own) ? plain(own) : own])
  )
}
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(plain(a)) === JSON.stringify(plain(b))

const pairsOf = (model: Json): ReadonlyArray<readonly [string, string]> =>
  (model["merges"] as ReadonlyArray<unknown>).map((merge) =>
    (typeof merge === "string" ? merge.split(" ") : merge) as readonly [string, string]
  )

/** The tokens by id, with what their kinds follow from; ids without a token get fillers, up to `size`. */
const tokensOf = (json: Json, size: number): ReadonlyArray<Token> => {
  const model = object(json["model"])
  const tokens = new Map(
    Object.entries(object(model["vocab"])).map(([text, id]) => [Number(id), { text, kind: kinds.normal as number }])
  )
  const unknown = String(model["unk_token"] ?? "")
  if (model["byte_fallback"] === true) {
    for (const token of tokens.values()) if (/^<0x[0-9A-F]{2}>$/.test(token.text)) token.kind = kinds.byte
  }
  for (const added of (json["added_tokens"] as ReadonlyArray<Json> | undefined) ?? []) {
    tokens.set(Number(added["id"]), {
      text: String(added["content"]),
      kind: added["special"] === true ? kinds.control : kinds.added
    })
  }
  for (const token of tokens.values()) if (token.text === unknown) token.kind = kinds.unknown
  return Array.from({ length: size }, (_, id) => ({
    id,
    text: fillerOf(id),
    kind: kinds.unused,
    ...tokens.get(id)
  }))
}

const unknownOf = (tokens: ReadonlyArray<Token>): Stated =>
  tokens.filter(({ kind }) => kind === kinds.unknown).map(({ id }) => ["tokenizer.ggml.unknown_token_id", { u32: id }])

const stated = (model: string, pre: string, tokens: ReadonlyArray<Token>): Stated => [
  ...unknownOf(tokens),
  ["tokenizer.ggml.model", { text: model }],
  ["tokenizer.ggml.pre", { text: pre }],
  ["tokenizer.ggml.tokens", { texts: tokens.map(({ text }) => text) }],
  ["tokenizer.ggml.token_type", { i32s: tokens.map(({ kind }) => kind) }]
]

const byteLevel = (json: Json, model: Json, tokens: ReadonlyArray<Token>): Stated => {
  const ignores = model["ignore_merges"] === true
  const [pre] =
    [...preTokenizers].find(([, known]) =>
      known.ignore_merges === ignores && isSame(known.normalizer, json["normalizer"]) &&
      isSame(known.pre_tokenizer, json["pre_tokenizer"])
    ) ?? refuse("pre_tokenizer", "texts are normalised or split in a way without a name there")
  return [
    ...stated("gpt2", pre, tokens),
    ["tokenizer.ggml.merges", { texts: pairsOf(model).map(([left, right]) => `${left} ${right}`) }]
  ]
}

const SPACE = "\u2581"
const spaced = { type: "Replace", pattern: { String: " " }, content: SPACE }
const prefixed = { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, spaced] }
/** Gemma's: it never splits, since no space is left. */
const idleSplit = { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false }

/** Scores under which the tokens are merged in the order of the file: minus the first rank that makes a token. */
const scoresOf = (merges: ReadonlyArray<readonly [string, string]>, tokens: ReadonlyArray<Token>) => {
  const ranks = new Map<string, number>()
  merges.forEach(([left, right], rank) => {
    if (!ranks.has(left + right)) ranks.set(left + right, rank)
  })
  return tokens.map(({ kind, text }) => kind === kinds.normal ? -(ranks.get(text) ?? merges.length) : 0)
}

const sentencePiece = (json: Json, model: Json, tokens: ReadonlyArray<Token>): Stated => {
  const prefixes = isSame(json["normalizer"], prefixed)
  const splits = json["pre_tokenizer"] ?? null
  if ((!prefixes && !isSame(json["normalizer"], spaced)) || (splits !== null && !isSame(splits, idleSplit))) {
    refuse("normalizer", "spaces are marked in another way than by SentencePiece")
  }
  const merges = pairsOf(model)
  const scores = scoresOf(merges, tokens)
  const again = mergesBy(scores, tokens)
  if (again.length !== merges.length || again.some((pair, i) => pair.join(" ") !== merges[i]!.join(" "))) {
    refuse("model.merges", "they are not all pairs that make a token, as in SentencePiece")
  }
  return [
    ...stated("llama", "default", tokens),
    ["tokenizer.ggml.scores", { f32s: scores }],
    ["tokenizer.ggml.add_space_prefix", { flag: prefixes }]
  ]
}

/** WordPiece; llama.cpp lower-cases and takes off accents, always. */
const wordPiece = (json: Json, model: Json, tokens: ReadonlyArray<Token>): Stated => {
  const { clean_text, handle_chinese_chars, lowercase, strip_accents, type } = object(json["normalizer"])
  const strips = strip_accents ?? lowercase
  if (type !== "BertNormalizer" || ![clean_text, handle_chinese_chars, lowercase, strips].every((on) => on === true)) {
    refuse("normalizer", "it is not BERT's for lower-cased text without accents")
  }
  if (object(json["pre_tokenizer"])["type"] !== "BertPreTokenizer") refuse("pre_tokenizer", "it is not BERT's")
  if (model["continuing_subword_prefix"] !== "##") refuse("model.continuing_subword_prefix", "it is not ##")
  const marked = tokens.map((token) => {
    const { text } = token
    return { ...token, text: isBracketed(token) ? text : text.startsWith("##") ? text.slice(2) : SPACE + text }
  })
  const lost = tokens.find((token, i) => bertText(marked[i]!) !== token.text)
  if (lost) refuse("model.vocab", `${brief(lost.text)} would be another token`)
  return stated("bert", "default", marked)
}

/** What a `tokenizer.json` states of its tokens. */
export interface Tokens {
  /** One more than the greatest id. */
  readonly size: number
  /** Added tokens with options that GGUF cannot state: white space that they take, words that they must be. */
  readonly optioned: ReadonlyArray<string>
}

/** The tokens of a file, for what becomes of them. */
export const tokensIn = (given: unknown): Tokens => {
  const json = object(given)
  const added = (json["added_tokens"] as ReadonlyArray<Json> | undefined) ?? []
  const ids = Object.values(object(object(json["model"])["vocab"])) as ReadonlyArray<number>
  const isOptioned = (token: Json) => ["lstrip", "rstrip", "single_word"].some((option) => token[option] === true)
  return {
    size: 1 + [...ids, ...added.map(({ id }) => Number(id))].reduce((most, id) => Math.max(most, id), -1),
    optioned: added.filter(isOptioned).map(({ content }) => String(content))
  }
}

/**
 * The tokenizer's metadata, for a vocabulary of `size` ids.
 *
 * @throws Malformed if GGUF has no form for the tokenizer.
 */
export const ofTokenizer = (given: unknown, size: number): Stated => {
  const json = object(given)
  const model = object(json["model"])
  const tokens = tokensOf(json, size)
  if (model["type"] === "WordPiece") return wordPiece(json, model, tokens)
  if (model["type"] !== "BPE") return refuse("model.type", `${brief(model["type"])} is not BPE or WordPiece`)
  const isByteLevel = JSON.stringify(json["pre_tokenizer"] ?? null).includes("ByteLevel")
  return isByteLevel ? byteLevel(json, model, tokens) : sentencePiece(json, model, tokens)
}
