/** Small tokenizer files: a model with normalizers, pre-tokenizers, post-processors and decoders as published ones have them. */
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Json, of } from "../edits/json.ts"

type Component = Readonly<Record<string, unknown>> | null

const numbered = (...tokens: ReadonlyArray<string>) => Object.fromEntries(tokens.map((token, i) => [token, i]))
/** Tokens that every model has, in front. */
const first = ["<unk>", "<s>", "</s>"]
const pieces = ["a", "b", "c", "ab", "abc", "the", "The", "gene", ",", "."]

const models = {
  words: {
    type: "WordLevel",
    vocab: numbered(...first, ...pieces, "Gaucher", "gba1", "é", "constructor", "GBA", "12"),
    unk_token: "<unk>"
  },
  wordPiece: {
    type: "WordPiece",
    unk_token: "<unk>",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 12,
    vocab: numbered(
      ...first,
      ...pieces,
      "g",
      "##a",
      "##b",
      "##c",
      "##e",
      "##ne",
      "##uch",
      "##ers",
      "caf",
      "##é",
      "tw",
      "##o",
      "中"
    )
  },
  bytes: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: true,
    vocab: numbered(
      ...first,
      ..."abcdeghntf.,",
      "Ġ",
      "Ċ",
      "Ã",
      "©",
      "th",
      "the",
      "Ġth",
      "Ġthe",
      "ab",
      "abc",
      "Ã©",
      "ge",
      "gene"
    ),
    merges: ["t h", "th e", "Ġ th", "Ġth e", "a b", "ab c", "Ã ©"]
  },
  pieces: {
    type: "BPE",
    unk_token: "<unk>",
    fuse_unk: true,
    byte_fallback: true,
    vocab: numbered(...first, "<0x0A>", "<0xC3>", "<0xA9>", ..."▁abcdehnt,.", "▁t", "he", "▁the", "ab", "bc", "abc"),
    merges: [["▁", "t"], ["h", "e"], ["▁t", "he"], ["a", "b"], ["b", "c"], ["ab", "c"], ["a", "bc"]]
  },
  affixes: {
    type: "BPE",
    unk_token: "<unk>",
    continuing_subword_prefix: "##",
    end_of_word_suffix: "</w>",
    fuse_unk: false,
    vocab: numbered(
      ...first,
      "a",
      "##b",
      "##c",
      "##b</w>",
      "##c</w>",
      "a</w>",
      "ab",
      "ab</w>",
      "t",
      "##h",
      "##e</w>",
      "th",
      "the</w>"
    ),
    merges: ["a ##b", "a ##b</w>", "t ##h", "th ##e</w>"]
  },
  unigram: {
    type: "Unigram",
    unk_id: 0,
    vocab: [
      ...[...first, "<0xC3>", "<0xA9>"].map((token) => [token, 0]),
      ...["▁", "▁the", "▁gene", "a", "b", "c", "ab", "bc", "abc", "t", "h", "e", "he", "▁a", ",", "."].map((
        token,
        i
      ) => [token, -1 - i / 4])
    ],
    byte_fallback: false
  }
} as const

const charsmap = (JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "..", "golden", "tokenizers", "generated.json"), "utf8")
) as { readonly charsmap: string }).charsmap
const bert = {
  type: "BertNormalizer",
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true
}
const normalizers: Readonly<Record<string, Component>> = {
  none: null,
  bert,
  cased: { ...bert, strip_accents: false, lowercase: false },
  llama2: {
    type: "Sequence",
    normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }]
  },
  charsmap: {
    type: "Sequence",
    normalizers: [
      { type: "Precompiled", precompiled_charsmap: charsmap },
      { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
      { type: "Strip", strip_left: false, strip_right: true }
    ]
  },
  nfkc: {
    type: "Sequence",
    normalizers: [{ type: "NFKC" }, { type: "Lowercase" }, { type: "StripAccents" }, { type: "Nmt" }]
  },
  nfc: { type: "NFC" },
  albert: {
    type: "Sequence",
    normalizers: [{ type: "Replace", pattern: { String: "``" }, content: "\"" }, { type: "NFKD" }, {
      type: "Strip",
      strip_left: true,
      strip_right: true
    }]
  },
  bytes: { type: "ByteLevel" }
}

const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }
const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true }
const preTokenizers: Readonly<Record<string, Component>> = {
  none: null,
  bert: { type: "BertPreTokenizer" },
  words: { type: "Whitespace" },
  spaces: {
    type: "Sequence",
    pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Punctuation", behavior: "Contiguous" }]
  },
  level: { ...level, add_prefix_space: true },
  llama3: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: String.raw`(?i:THE|e)| ?\p{L}+` }, behavior: "Isolated", invert: false },
      { type: "Digits", individual_digits: true },
      { ...level, use_regex: false }
    ]
  },
  metaspace,
  always: { ...metaspace, prepend_scheme: "always", add_prefix_space: true },
  split: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext", invert: false },
      { type: "Split", pattern: { Regex: "(?:a|b)+(?=c)" }, behavior: "MergedWithPrevious", invert: true },
      { type: "Split", pattern: { Regex: "x*" }, behavior: "Removed", invert: false }
    ]
  },
  others: {
    type: "Sequence",
    pretokenizers: [{ type: "CharDelimiterSplit", delimiter: "," }, { type: "FixedLength", length: 4 }, {
      type: "Digits",
      individual_digits: false
    }]
  }
}

/** Expressions that are none, that cannot be said here, or that take long. */
export const expressions: ReadonlyArray<string> = [
  "(",
  "[^",
  "[z-a]",
  "\\",
  "^*",
  "(?=a)*",
  String.raw`\p{Foo}`,
  String.raw`(?<n>a)\k<n>`,
  String.raw`\R`,
  "(?i)[é]",
  "(a*)*b",
  "a{0,100000}b",
  `(${"a?".repeat(28)})${"a".repeat(28)}`,
  `${"(?:".repeat(40)}a${"){2}".repeat(40)}`,
  `${"(".repeat(3000)}a${")".repeat(3000)}`,
  "a|".repeat(4000),
  "a".repeat(20_000),
  String.raw`\p{L}`.repeat(1900)
]
/** Endless on a text of one letter. */
export const endless: ReadonlyArray<string> = ["(a+)+$", "(a|aa)+$", "(?:a{1,1000}){1,1000}b"]

const [token, text] = [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }]
const template = {
  type: "TemplateProcessing",
  single: [token, text, { SpecialToken: { id: "</s>", type_id: 0 } }],
  pair: [token, text, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: {
    "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] },
    "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] }
  }
}
const postProcessors: Readonly<Record<string, Component>> = {
  none: null,
  template,
  bert: { type: "BertProcessing", sep: ["</s>", 2], cls: ["<s>", 1] },
  roberta: {
    type: "RobertaProcessing",
    sep: ["</s>", 2],
    cls: ["<s>", 1],
    trim_offsets: true,
    add_prefix_space: false
  },
  llama3: { type: "Sequence", processors: [{ ...level, trim_offsets: false }, template] }
}

const decoders: Readonly<Record<string, Component>> = {
  none: null,
  level,
  wordPiece: { type: "WordPiece", prefix: "##", cleanup: true },
  metaspace,
  llama2: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 }
    ]
  },
  bpe: { type: "BPEDecoder", suffix: "</w>" },
  ctc: { type: "CTC", pad_token: "a", word_delimiter_token: "▁", cleanup: true }
}

const added = (id: number, content: string, on: ReadonlyArray<string> = []) => ({
  id,
  content,
  ...Object.fromEntries(
    ["single_word", "lstrip", "rstrip", "normalized", "special"].map((key) => [key, on.includes(key)])
  )
})

/** Tokens of the model that are special, and further ones. */
const addedTokens = (after: number): Readonly<Record<string, ReadonlyArray<object>>> => ({
  none: [],
  special: [added(0, "<unk>", ["special"]), added(1, "<s>", ["special"]), added(2, "</s>", ["special"])],
  further: [
    added(1, "<s>", ["special"]),
    added(after, "<mask>", ["lstrip", "special"]),
    added(after + 1, "foo", ["single_word", "normalized"]),
    added(after + 2, "cafÉ", ["normalized", "rstrip"])
  ]
})

const kinds = {
  model: models,
  normalizer: normalizers,
  pre_tokenizer: preTokenizers,
  post_processor: postProcessors,
  decoder: decoders
}
type Part = keyof typeof kinds

/** A component of each kind by name. */
export type Shape = Readonly<Record<Part | "added_tokens", string>>

/** Those that published files have together, and any. */
const published: ReadonlyArray<Shape> = [
  ["words", "none", "words", "template", "none", "special"],
  ["wordPiece", "bert", "bert", "template", "wordPiece", "further"],
  ["wordPiece", "cased", "bert", "bert", "wordPiece", "special"],
  ["bytes", "nfc", "level", "roberta", "level", "further"],
  ["bytes", "none", "llama3", "llama3", "level", "special"],
  ["pieces", "llama2", "none", "template", "llama2", "special"],
  ["affixes", "bert", "bert", "bert", "bpe", "special"],
  ["unigram", "charsmap", "always", "template", "metaspace", "further"],
  ["unigram", "albert", "metaspace", "template", "metaspace", "special"]
].map(([model, normalizer, pre_tokenizer, post_processor, decoder, added_tokens]) =>
  ({ model, normalizer, pre_tokenizer, post_processor, decoder, added_tokens }) as Shape
)

const any = fc.record<Shape>({
  model: fc.constantFrom(...Object.keys(models)),
  normalizer: fc.constantFrom(...Object.keys(normalizers)),
  pre_tokenizer: fc.constantFrom(...Object.keys(preTokenizers)),
  post_processor: fc.constantFrom(...Object.keys(postProcessors)),
  decoder: fc.constantFrom(...Object.keys(decoders)),
  added_tokens: fc.constantFrom(...Object.keys(addedTokens(0)))
}, { noNullPrototype: true })

export const shapes: fc.Arbitrary<Shape> = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...published) }, any)

/** The file of a shape. */
export const baseOf = (shape: Shape): Json => {
  const model = models[shape.model as keyof typeof models]
  const parts = Object.entries(kinds).map((
    [key, own]
  ) => [key, (own as Readonly<Record<string, unknown>>)[shape[key as Part]]])
  return of({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(Object.keys(model.vocab).length)[shape.added_tokens],
    ...Object.fromEntries(parts)
  })
}
