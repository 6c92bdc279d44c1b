/** tokenizer.json as a whole: encodes and decodes exactly as Hugging Face's Rust library. */
import { type AddedToken, AddedTokens, readAddedToken } from "./addedTokens.ts"
import { type Decoder, readDecoder } from "./decoders.ts"
import { Fields, type Kinds } from "./fields.ts"
import { readBpe } from "./models/bpe.ts"
import type { Model } from "./models/model.ts"
import { readUnigram } from "./models/unigram.ts"
import { readWordLevel, readWordPiece } from "./models/wordModels.ts"
import { type Normalizer, readNormalizer } from "./normalizers.ts"
import { type Parts, whole } from "./parts.ts"
import { type Frame, readFrame } from "./postProcessor.ts"
import { type PreTokenizer, readPreTokenizer } from "./preTokenizers.ts"

const models: Kinds<Model> = { BPE: readBpe, WordPiece: readWordPiece, WordLevel: readWordLevel, Unigram: readUnigram }

/** Infers the model type, which older files do not state. */
const typeOf = (fields: Fields): string => {
  if (fields.get("type") !== undefined) return fields.text("type")
  if (fields.has("merges")) return "BPE"
  if (Array.isArray(fields.get("vocab"))) return "Unigram"
  return fields.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel"
}

const readModel = (fields: Fields): Model => {
  const type = typeOf(fields)
  if (!Object.hasOwn(models, type)) {
    fields.fail("type", `"${type}" is not known here (known: ${Object.keys(models).join(", ")})`)
  }
  return models[type]!(fields)
}

const remembered = 1 << 16

/** Caches the ids of short words; the cache is cleared when full. */
const remembering = ({ tokenize }: Model): Model["tokenize"] => {
  const known = new Map<string, ReadonlyArray<number>>()
  return (word) => {
    if (word.length > 64) return tokenize(word)
    let ids = known.get(word)
    if (ids === undefined) {
      ids = tokenize(word)
      if (known.size >= remembered) known.clear()
      known.set(word, ids)
    }
    return ids
  }
}

/** The tokenizer described by a file. */
export interface Pipeline {
  /**
   * Ids of the text without added special tokens. Lone surrogates become U+FFFD.
   *
   * @throws Misfit if a pattern of the file takes too long to match.
   */
  readonly encode: (text: string) => ReadonlyArray<number>
  /** Omits special tokens and unknown ids. */
  readonly decode: (ids: ReadonlyArray<number>) => string
  readonly tokens: AddedTokens
  readonly model: Model["type"]
  /** What the post-processor puts around a text; `undefined` without one. */
  readonly frame: Frame | undefined
}

interface Steps {
  readonly tokens: AddedTokens
  readonly normalizer: Normalizer | undefined
  readonly preTokenizer: PreTokenizer | undefined
  readonly model: Model
}

const normalised = ({ heads, parts }: Parts, normalizer: Normalizer): Parts => {
  const outHeads = [...heads]
  const out = parts.map((part, i) => {
    if (typeof part === "number") return part
    const [text, head] = normalizer(part, heads[i] ?? 0)
    if (i < heads.length) outHeads[i] = head
    return text
  })
  return { parts: out, heads: outHeads }
}

const encoding = ({ model, normalizer, preTokenizer, tokens }: Steps): Pipeline["encode"] => {
  const tokenize = remembering(model)
  return (text) => {
    if (text === "") return []
    const raw = tokens.extract(whole(text.toWellFormed()))
    const normal = tokens.extractNormal(normalizer === undefined ? raw : normalised(raw, normalizer))
    const { parts } = preTokenizer === undefined ? normal : preTokenizer(normal)
    const ids: Array<number> = []
    for (const part of parts) {
      if (typeof part === "number") ids.push(part)
      else if (part !== "") { for (const id of tokenize(part)) ids.push(id) }
    }
    return ids
  }
}

const decoding = (tokens: AddedTokens, decoder: Decoder | undefined): Pipeline["decode"] => (ids) => {
  const found = ids.map((id) => tokens.token(id)).filter((token) => token !== undefined && !tokens.isSpecial(token))
  if (found.length === 0) return ""
  return decoder === undefined ? found.join(" ") : decoder(found as ReadonlyArray<string>).join("")
}

/** @throws Misfit if a token would get another id than the file states. */
const addOwn = (fields: Fields, tokens: AddedTokens): void => {
  const entries = fields.get("added_tokens") === undefined ? [] : fields.items("added_tokens")
  const read = entries.map((entry) => ({
    entry,
    token: readAddedToken(entry.only("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special")),
    id: entry.id("id")
  }))
  tokens.add(read.map(({ token }) => token))
  const owners = new Map<number, string>()
  for (const { entry, id, token: { content } } of read) {
    if (content === "") continue
    const given = tokens.id(content)
    if (given !== id) entry.fail("id", `${id}, where ${JSON.stringify(content)} would have the id ${given}`)
    if ((owners.get(id) ?? content) !== content) entry.fail("id", `${id} is the id of two tokens`)
    owners.set(id, content)
  }
}

/** Token settings of a model folder, besides tokenizer.json. */
export interface Additions {
  readonly tokens: (own: AddedTokens) => ReadonlyArray<AddedToken>
  /** Whether special tokens in a text are tokenised as ordinary text. */
  readonly split: boolean
}

const part = <A>(fields: Fields, key: string, read: (fields: Fields) => A): A | undefined =>
  fields.has(key) ? read(fields.fields(key)) : undefined

/** @throws Misfit if the file is malformed, or requires something that cannot be supported exactly. */
export const readPipeline = (json: unknown, additions: Additions): Pipeline => {
  const fields = new Fields(json, "").only(
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model"
  )
  if (fields.get("version") !== undefined) fields.oneOf("version", ["1.0"])
  for (const idle of ["truncation", "padding"]) if (fields.has(idle)) fields.fields(idle)
  const model = readModel(fields.fields("model"))
  const normalizer = part(fields, "normalizer", readNormalizer)
  const preTokenizer = part(fields, "pre_tokenizer", readPreTokenizer)
  const tokens = new AddedTokens(model, (text) => normalizer?.(text, 0)[0] ?? text, additions.split)
  addOwn(fields, tokens)
  tokens.add(additions.tokens(tokens))
  tokens.ready(fields.at("added_tokens"))
  const known = (id: number) => tokens.token(id) !== undefined
  return {
    encode: encoding({ tokens, normalizer, preTokenizer, model }),
    decode: decoding(tokens, part(fields, "decoder", readDecoder)),
    tokens,
    model: model.type,
    frame: part(fields, "post_processor", (own) => readFrame(own, known))
  }
}
