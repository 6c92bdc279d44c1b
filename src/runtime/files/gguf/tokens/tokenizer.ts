/** `tokenizer.json` and `tokenizer_config.json` of a GGUF file's model, from its metadata. */
import { brief, several } from "../../../../domain/brief.ts"
import { Malformed } from "../malformed.ts"
import type { Metadata } from "../metadata.ts"
import { preTokenizers } from "./preTokenizers.ts"
import { mergesOf } from "./sentencePiece.ts"
import { kinds, specialsOf, type Token, tokensOf } from "./vocabulary.ts"

type Json = Readonly<Record<string, unknown>>

/** The parts of `tokenizer.json` that depend on the kind of tokenizer. */
interface Parts {
  readonly normalizer: Json | null
  readonly pre_tokenizer: Json | null
  readonly decoder: Json
  readonly model: Json
}

const [MODEL, PRE] = ["tokenizer.ggml.model", "tokenizer.ggml.pre"]
/** The space of SentencePiece. */
const SPACE = "\u2581"

const idsOf = (tokens: ReadonlyArray<Token>): Json => Object.fromEntries(tokens.map(({ id, text }) => [text, id]))

const bpe = { type: "BPE", dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null }

/** Byte-level BPE. */
const gpt2 = (metadata: Metadata, tokens: ReadonlyArray<Token>): Parts => {
  const name = metadata.text(PRE, "default")
  const found = preTokenizers.get(name)
  if (!found) {
    const known = [...preTokenizers.keys()].join(", ")
    throw new Malformed(PRE, `how ${brief(name)} splits texts is not known here (known: ${known})`)
  }
  const { ignore_merges, normalizer, pre_tokenizer } = found
  if (metadata.flag("tokenizer.ggml.add_space_prefix", false)) {
    throw new Malformed("tokenizer.ggml.add_space_prefix", "true is not known of byte-level tokenizers")
  }
  const merges = metadata.texts("tokenizer.ggml.merges").map((merge, i) => {
    const at = merge.indexOf(" ", 1)
    if (at < 0) throw new Malformed("tokenizer.ggml.merges", `element ${i}, ${brief(merge)}, is not two tokens`)
    return [merge.slice(0, at), merge.slice(at + 1)]
  })
  return {
    normalizer,
    pre_tokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...bpe,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges,
      vocab: idsOf(tokens),
      merges
    }
  }
}

/** SentencePiece's BPE, with bytes for characters that are no tokens. */
const llama = (metadata: Metadata, tokens: ReadonlyArray<Token>): Parts => {
  const prefixes = metadata.flag("tokenizer.ggml.add_space_prefix", true)
  const spaced = { type: "Replace", pattern: { String: " " }, content: SPACE }
  const unknown = tokens.find(({ kind }) => kind === kinds.unknown)
  return {
    normalizer: prefixes ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, spaced] } : spaced,
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefixes ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [])
      ]
    },
    model: {
      ...bpe,
      unk_token: unknown?.text ?? null,
      fuse_unk: true,
      byte_fallback: tokens.some(({ kind }) => kind === kinds.byte),
      ignore_merges: false,
      vocab: idsOf(tokens),
      merges: mergesOf(metadata, tokens)
    }
  }
}

/** A special token, or one in brackets, such as [unused1]; converters leave its text as it is. */
export const isBracketed = ({ kind, text }: Token): boolean =>
  kind === kinds.control || kind === kinds.unknown || /^\[\w+\]$/.test(text)

/** BERT's spelling of a token: GGUF marks the beginnings of words, BERT what continues them. */
export const bertText = (token: Token): string =>
  isBracketed(token)
    ? token.text
    : token.text.startsWith(SPACE)
    ? token.text.slice(1)
    : `##${token.text}`

/** WordPiece. A vocabulary without capital letters is one of lower-cased text without accents, as llama.cpp has it. */
const bert = (metadata: Metadata, tokens: ReadonlyArray<Token>): Parts => {
  const cased = tokens.some((token) => !isBracketed(token) && /[A-Z]/.test(token.text))
  const vocab = idsOf(tokens.map((token) => ({ ...token, text: bertText(token) })))
  if (Object.keys(vocab).length !== tokens.length) {
    throw new Malformed("tokenizer.ggml.tokens", "has tokens that WordPiece spells alike")
  }
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: !cased
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: (specialsOf(metadata).get("unk_token") ?? tokens.find(({ kind }) => kind === kinds.unknown))?.text ??
        "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab
    }
  }
}

const models: Readonly<Record<string, (metadata: Metadata, tokens: ReadonlyArray<Token>) => Parts>> = {
  gpt2,
  llama,
  bert
}

/** Keys of the tokenizer that are read, or do not change the ids of a text. */
const known = new RegExp(
  "^tokenizer\\.(ggml\\.(model|pre|tokens|token_type|token_type_count|scores|merges|add_(bos|eos|sep)_token|" +
    "add_space_prefix|(bos|eos|eot|eom|unknown|seperator|separator|padding|cls|mask)_token_id|" +
    "((fim_)?(pre|suf|mid|pad|rep|sep)|prefix|suffix|middle)_token_id)|chat_templates?(\\..*)?|huggingface\\.json)$"
)

/** Keys that are refused unless their values request nothing. */
const checkKeys = (metadata: Metadata): void => {
  const strange = metadata.keys.filter((key) => key.startsWith("tokenizer.") && !known.test(key)).filter((key) =>
    metadata.value(key) !== false
  )
  if (strange.length === 0) return
  throw new Malformed(
    strange[0]!,
    `may change the ids of a text, and is not known here: ${several(strange).join(", ")}`
  )
}

const partsOf = (metadata: Metadata, tokens: ReadonlyArray<Token>): Parts => {
  checkKeys(metadata)
  const name = metadata.text(MODEL)
  if (Object.hasOwn(models, name)) return models[name]!(metadata, tokens)
  throw new Malformed(MODEL, `${brief(name)} is not known here (known: ${Object.keys(models).join(", ")})`)
}

/** Whether texts begin with the bos token if the file does not say. */
const usuallyBegins = (metadata: Metadata): boolean =>
  metadata.text(MODEL) !== "gpt2" || preTokenizers.get(metadata.text(PRE, ""))?.add_bos === true

/** The special tokens before and after a text. */
const framesOf = (metadata: Metadata) => {
  const tokens = specialsOf(metadata)
  const isBert = metadata.text(MODEL) === "bert"
  const last = metadata.flag("tokenizer.ggml.add_sep_token", metadata.flag("tokenizer.ggml.add_eos_token", isBert))
  const before = isBert ? tokens.get("cls_token") ?? tokens.get("bos_token") : tokens.get("bos_token")
  const after = isBert ? tokens.get("sep_token") ?? tokens.get("eos_token") : tokens.get("eos_token")
  return {
    before: metadata.flag("tokenizer.ggml.add_bos_token", usuallyBegins(metadata)) ? before : undefined,
    after: last ? after : undefined
  }
}

/** The post-processor that puts the tokens around a text; null for none. */
const frame = (before: Token | undefined, after: Token | undefined): Json | null => {
  const around = [before, after].filter((token) => token !== undefined)
  if (around.length === 0) return null
  const piece = (token: Token | undefined) => token ? [{ SpecialToken: { id: token.text, type_id: 0 } }] : []
  const text = (id: string, type_id: number) => [...piece(before), { Sequence: { id, type_id } }, ...piece(after)]
  return {
    type: "TemplateProcessing",
    single: text("A", 0),
    pair: [...text("A", 0), ...text("B", 0)],
    special_tokens: Object.fromEntries(
      around.map(({ id, text }) => [text, { id: text, ids: [id], tokens: [text] }])
    )
  }
}

/** Phi-3's special tokens take the white space after them, which no key of the format can state. */
const stripsOf = (metadata: Metadata) => {
  const isPhi3 = metadata.text("general.architecture", "") === "phi3" && metadata.text(MODEL) === "llama"
  const plain = new Set(["<unk>", "<s>", "<|endoftext|>"])
  return (text: string): boolean => isPhi3 && !plain.has(text)
}

const added = (tokens: ReadonlyArray<Token>, strips: (text: string) => boolean): ReadonlyArray<Json> =>
  tokens.filter(({ kind }) => kind === kinds.control || kind === kinds.added || kind === kinds.unknown).map((
    { id, kind, text }
  ) => ({
    id,
    content: text,
    single_word: false,
    lstrip: false,
    rstrip: strips(text),
    normalized: false,
    special: kind !== kinds.added
  }))

/**
 * `tokenizer.json`, in the format of Hugging Face's library.
 *
 * @throws Malformed if the kind of tokenizer, how it splits texts, or a key that may change ids is not known.
 */
export const tokenizerOf = (metadata: Metadata): Json => {
  const tokens = tokensOf(metadata)
  const parts = partsOf(metadata, tokens)
  const { after, before } = framesOf(metadata)
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added(tokens, stripsOf(metadata)),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.pre_tokenizer,
    post_processor: frame(before, after),
    decoder: parts.decoder,
    model: parts.model
  }
}

const TEMPLATE = "tokenizer.chat_template"

/** The chat template, or several by name; the one without a name is "default". */
const templateOf = (metadata: Metadata): unknown => {
  const named = metadata.keys.filter((key) => key.startsWith(`${TEMPLATE}.`))
  const all = [...(metadata.has(TEMPLATE) ? [TEMPLATE] : []), ...named].map((key) => ({
    name: key === TEMPLATE ? "default" : key.slice(TEMPLATE.length + 1),
    template: metadata.text(key)
  }))
  return all.length > 1 || named.length > 0 ? all : all[0]?.template
}

/** `tokenizer_config.json`: special tokens and the chat template. */
export const tokenizerConfigOf = (metadata: Metadata): Json => {
  const { after, before } = framesOf(metadata)
  const chat_template = templateOf(metadata)
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...Object.fromEntries([...specialsOf(metadata)].map(([key, { text }]) => [key, text])),
    add_bos_token: before !== undefined,
    add_eos_token: after !== undefined,
    clean_up_tokenization_spaces: false,
    ...(chat_template === undefined ? {} : { chat_template })
  }
}
