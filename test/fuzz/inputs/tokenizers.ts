/** Tokenizer files of a few tokens, one of each model, to be mutated. */

const added = (id: number, content: string, options: object = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...options
})

const ids = (tokens: ReadonlyArray<string>): Readonly<Record<string, number>> =>
  Object.fromEntries(tokens.map((token, id) => [token, id]))

const common = { version: "1.0", truncation: null, padding: null }

const wordPiece = {
  ...common,
  added_tokens: [added(0, "[UNK]"), added(1, "[CLS]"), added(2, "[SEP]"), added(3, "[MASK]", { lstrip: true })],
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } }
    ],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [1], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [2], tokens: ["[SEP]"] }
    }
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 12,
    vocab: ids([
      "[UNK]",
      "[CLS]",
      "[SEP]",
      "[MASK]",
      "the",
      "gene",
      "##s",
      "e",
      "##e",
      "a",
      "##a",
      "1",
      ".",
      "中",
      "'",
      "##b"
    ])
  }
}

const bytePair = {
  ...common,
  added_tokens: [added(17, "<|end|>"), added(18, "foo", { special: false, normalized: true })],
  normalizer: null,
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: " ?\\p{L}+|\\p{N}{1,3}|\\s+" }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false }
    ]
  },
  post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: ids(["t", "h", "e", "g", "n", "s", "a", "b", "Ġ", "1", "th", "the", "Ġg", "Ġge", "en", "Ã", "©"]),
    merges: [["t", "h"], ["th", "e"], ["Ġ", "g"], ["Ġg", "e"], ["e", "n"]]
  }
}

const unigram = {
  ...common,
  added_tokens: [added(0, "<unk>"), added(1, "<s>")],
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "NFKC" },
      { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
      { type: "Strip", strip_left: true, strip_right: true }
    ]
  },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  post_processor: {
    type: "RobertaProcessing",
    sep: ["<s>", 1],
    cls: ["<s>", 1],
    trim_offsets: true,
    add_prefix_space: true
  },
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 }
    ]
  },
  model: {
    type: "Unigram",
    unk_id: 0,
    byte_fallback: true,
    vocab: [
      ["<unk>", 0],
      ["<s>", 0],
      ["<0xC3>", -9],
      ["<0xA9>", -9],
      ["▁", -2.5],
      ["▁the", -1.5],
      ["▁gene", -3],
      ["s", -2],
      ["e", -2],
      ["a", -4],
      ["b", -4],
      ["1", -5]
    ]
  }
}

const wordLevel = {
  ...common,
  added_tokens: [added(1, "<x>", { special: false, single_word: true, rstrip: true })],
  normalizer: { type: "Sequence", normalizers: [{ type: "Lowercase" }, { type: "StripAccents" }] },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Whitespace" },
      { type: "Digits", individual_digits: true },
      { type: "Punctuation", behavior: "MergedWithPrevious" }
    ]
  },
  post_processor: null,
  decoder: { type: "CTC", pad_token: "<pad>", word_delimiter_token: "|", cleanup: true },
  model: {
    type: "WordLevel",
    unk_token: "?",
    vocab: ids(["?", "<x>", "the", "gene", "genes", "a", "1", "é", "constructor"])
  }
}

/** By the name of the model. */
export const tokenizers = { wordPiece, bytePair, unigram, wordLevel } as const

/** Texts that tell most tokenizers apart. */
export const lines: ReadonlyArray<string> = [
  "the genes",
  " The  gène é 中1",
  "a b<x> <x>a [MASK] foo<|end|>",
  "aa.a,'b' 12345\n",
  "e\u0301 constructor ththe gen",
  "a".repeat(30)
]

/** Files beside a tokenizer.json, to be mutated: newer ones list added tokens, older ones name special tokens apart. */
export const configs = {
  newer: {
    tokenizer: "wordPiece",
    files: {
      "tokenizer_config.json": {
        added_tokens_decoder: {
          0: { content: "[UNK]", lstrip: false, normalized: false, rstrip: false, single_word: false, special: true },
          3: { content: "[MASK]", lstrip: true, normalized: false, rstrip: false, single_word: false, special: true },
          16: { content: "foo", lstrip: false, normalized: true, rstrip: true, single_word: false, special: false }
        },
        unk_token: "[UNK]",
        cls_token: "[CLS]",
        sep_token: "[SEP]",
        mask_token: "[MASK]",
        pad_token: "the",
        clean_up_tokenization_spaces: true,
        do_lower_case: true,
        model_max_length: 512,
        tokenizer_class: "PreTrainedTokenizerFast"
      },
      "special_tokens_map.json": { cls_token: "a" }
    }
  },
  older: {
    tokenizer: "wordLevel",
    files: {
      "tokenizer_config.json": {
        bos_token: "<s>",
        unk_token: {
          __type: "AddedToken",
          content: "?",
          lstrip: false,
          normalized: true,
          rstrip: true,
          single_word: false
        },
        additional_special_tokens: ["gene", {
          __type: "AddedToken",
          content: "<y>",
          lstrip: false,
          normalized: false,
          rstrip: false,
          single_word: true
        }],
        split_special_tokens: false,
        model_max_length: 1e30,
        tokenizer_class: "PreTrainedTokenizerFast"
      },
      "special_tokens_map.json": {
        bos_token: "<s>",
        eos_token: {
          __type: "AddedToken",
          content: "a",
          lstrip: true,
          normalized: false,
          rstrip: false,
          single_word: false
        }
      },
      "added_tokens.json": { "<x>": 1 }
    }
  }
} as const
