/** Tokenizers of model folders: what is refused, and where; what the files beside tokenizer.json change. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FileError } from "../../../src/runtime/files/disk.ts"
import { translate } from "../../../src/runtime/tokenizers/patterns/oniguruma.ts"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { folderOf, onDisk } from "../../support/files.ts"

const token = (id: number, content: string, options: object = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: false,
  ...options
})

const json = {
  version: "1.0",
  truncation: { max_length: 1, strategy: "LongestFirst", stride: 0, direction: "Right" },
  padding: null,
  added_tokens: [token(0, "<s>", { special: true }), token(7, "<x>")],
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true
  },
  pre_tokenizer: { type: "WhitespaceSplit" } as object | null,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } }
  },
  decoder: null,
  model: {
    type: "WordLevel",
    unk_token: "u",
    vocab: { "<s>": 0, u: 1, a: 2, b: 3, constructor: 4, ["__proto__"]: 5, "\ufffd": 6 } as Record<string, unknown>
  } as object
}

const bpe = {
  type: "BPE",
  vocab: { a: 0, b: 1, ab: 2, "<s>": 3 } as Record<string, unknown>,
  merges: ["a b"] as ReadonlyArray<unknown>
}

const loaded = Effect.fnUntraced(function*(file: unknown, others: Readonly<Record<string, object>> = {}) {
  const entries = Object.entries({ "tokenizer.json": file, ...others })
  const texts = entries.map(([name, each]) => [name, typeof each === "string" ? each : JSON.stringify(each)] as const)
  return yield* Tokenizer.load(yield* folderOf(Object.fromEntries(texts)))
})

/** A file that is refused: the part that is different, the place that is named, and why. */
const malformed: ReadonlyArray<readonly [object, string, RegExp]> = [
  [{ model: null }, "model", /object is expected, not null/],
  [{ more: 1 }, "more", /not an option/],
  [{ version: "2.0" }, "version", /"1.0"/],
  [{ model: { ...json.model, type: "constructor" } }, "model.type", /"constructor" is not known here/],
  [{ model: { ...json.model, unk_token: "none" } }, "model.unk_token", /"none" is not in the vocabulary/],
  [{ model: { ...json.model, vocab: { "<s>": 0, u: 0 } } }, "model.vocab", /0 is the id of "<s>" and of "u"/],
  [{ model: { ...json.model, vocab: { "<s>": -1 } } }, "model.vocab", /"<s>" has -1 for an id/],
  [{ model: { ...json.model, vocab: { "<s>": 0.5 } } }, "model.vocab", /has 0.5/],
  [{ model: { ...json.model, vocab: { "<s>": 0, "\ud800": 1 } } }, "model.vocab", /no text of Unicode/],
  [{ model: { ...bpe, merges: ["a b c"] } }, "model.merges[0]", /two tokens are expected/],
  [{ model: { ...bpe, merges: [["a", "c"]] } }, "model.merges[0]", /"c" is not in the vocabulary/],
  [{ model: { ...bpe, merges: ["b a"] } }, "model.merges[0]", /"ba" is not/],
  [{ model: { ...bpe, dropout: 0.1 } }, "model.dropout", /random/],
  [{ model: { ...bpe, unk_token: "?" } }, "model.unk_token", /"\?" is not in the vocabulary/],
  [{ model: { type: "Unigram", unk_id: 3, vocab: [["a", 0]] } }, "model.unk_id", /1 tokens/],
  [{ model: { type: "Unigram", unk_id: 0, vocab: [["a", null]] } }, "model.vocab[0]", /no finite score/],
  [{ model: { type: "Unigram", vocab: [["a", 0]] } }, "model.unk_id", /whole number/],
  [{ added_tokens: [token(9, "<x>")] }, "added_tokens[0].id", /"<x>" would have the id 7/],
  [{ added_tokens: [token(1, "a")] }, "added_tokens[0].id", /would have the id 2/],
  [{ added_tokens: [{ id: 7, content: "<x>" }] }, "added_tokens[0].single_word", /true or false/],
  [
    { added_tokens: [token(7, "Foo", { normalized: true }), token(8, "foo", { normalized: true })] },
    "added_tokens",
    /"foo" and "Foo" are the same text/
  ],
  [{ normalizer: { type: "BertNormalizer" } }, "normalizer.clean_text", /true or false/],
  [{ normalizer: { type: "Sequence", normalizers: [{ type: "NFX" }] } }, "normalizer.normalizers[0].type", /"NFX"/],
  [{ normalizer: { type: "Precompiled", precompiled_charsmap: "AAA" } }, "normalizer.precompiled_charsmap", /base 64/],
  [
    { normalizer: { type: "Precompiled", precompiled_charsmap: "////" } },
    "normalizer.precompiled_charsmap",
    /no table/
  ],
  [
    { pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Removed", invert: false } },
    "pre_tokenizer.pattern.Regex",
    /"\("/
  ],
  [
    { pre_tokenizer: { type: "Split", pattern: {}, behavior: "Removed", invert: false } },
    "pre_tokenizer.pattern",
    /one of/
  ],
  [
    { pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "removed", invert: false } },
    "pre_tokenizer.behavior",
    /"Removed"/
  ],
  [{ pre_tokenizer: { type: "Digits", individual_digits: 1 } }, "pre_tokenizer.individual_digits", /not 1/],
  [{ post_processor: { type: "RobertaProcessing" } }, "post_processor.trim_offsets", /true or false/],
  [
    { post_processor: { type: "BertProcessing", sep: ["<s>", 0], cls: ["q", 99] } },
    "post_processor.cls",
    /99 is not the id/
  ],
  [{ post_processor: { ...json.post_processor, single: [] } }, "post_processor.single", /sequence A is expected/],
  [
    { post_processor: { ...json.post_processor, special_tokens: {} } },
    "post_processor.single[0].SpecialToken.id",
    /"<s>"/
  ],
  [
    { post_processor: { ...json.post_processor, special_tokens: { "<s>": { id: "u", ids: [0], tokens: ["<s>"] } } } },
    "post_processor.special_tokens.<s>.id",
    /"<s>" is expected/
  ],
  [
    { post_processor: { ...json.post_processor, single: [{ SpecialToken: {}, Sequence: { id: "A", type_id: 0 } }] } },
    "post_processor.single[0]",
    /one of Sequence and SpecialToken/
  ],
  [{ post_processor: { type: "toString" } }, "post_processor.type", /not known/],
  [{ decoder: { type: "Strip", content: "ab", start: 0, stop: 0 } }, "decoder.content", /one character/],
  [{ decoder: [] }, "decoder", /object is expected/]
]

/** Normalizers within each other. */
const nested = (depth: number): string => {
  const deep = `${"{\"type\":\"Sequence\",\"normalizers\":[".repeat(depth)}{"type":"NFC"}${"]}".repeat(depth)}`
  return JSON.stringify({ ...json, normalizer: "?" }).replace("\"?\"", deep)
}

describe("a tokenizer.json", () => {
  for (const [different, place, reason] of malformed) {
    it.live(`is refused with the place: ${place}: ${reason.source}`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(loaded({ ...json, ...different }))
        assert.instanceOf(error, FileError)
        assert.match(error.path, /tokenizer\.json$/)
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
      })))
  }
  it.live("may be anything: the error is one of the file", () =>
    onDisk(Effect.gen(function*() {
      for (const file of [null, 3, [], "text", "\"text\"", {}, nested(500), nested(3000)]) {
        const error = yield* Effect.flip(loaded(file))
        assert.strictEqual(error._tag, "FileError")
      }
    })))
  it.live("has no lengths of its own, and names of prototypes are tokens", () =>
    onDisk(Effect.gen(function*() {
      const { encode, id, size, start } = yield* loaded(json)
      assert.deepStrictEqual(encode("a constructor __proto__ toString <x> A\ud800"), [2, 4, 5, 1, 7, 2])
      assert.deepStrictEqual([id("toString"), id("constructor"), size], [undefined, 4, 8])
      assert.deepStrictEqual(start, [0])
    })))
  it.live("reads a lone surrogate as U+FFFD", () =>
    onDisk(Effect.gen(function*() {
      const { encode } = yield* loaded({ ...json, normalizer: null })
      assert.deepStrictEqual([encode("\ud800"), encode("\ud800 \udfff")], [[6], [6, 6]])
    })))
})

describe("a pattern of a tokenizer.json", () => {
  const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false })
  it.live("that never comes to an end is a typed error, soon", () =>
    onDisk(Effect.gen(function*() {
      const { encode } = yield* loaded({ ...json, pre_tokenizer: split("([a-z._0-9]+)+X") })
      assert.deepStrictEqual(encode("ab"), [1])
      const endless = Effect.try({ try: () => encode("a".repeat(60)), catch: (error) => error as FileError })
      const error = yield* Effect.flip(endless)
      assert.instanceOf(error, FileError)
      assert.match(error.message, /tokenizer\.json, pre_tokenizer\.pattern\.Regex: no end of matching/)
    })), 30_000)
  it("is refused where JavaScript cannot say what it means", () => {
    const refused = [
      String.raw`(a)\1`,
      String.raw`\Ga`,
      String.raw`\X`,
      "(?:a|)*",
      "(?i:ß)",
      "(?i:ss)",
      "(?i:[^a])",
      String.raw`a\Kb`
    ]
    for (
      const pattern of [...refused, "(", "[", "a{2", "x".repeat(20_000), "(".repeat(9000)].filter((p) => p !== "a{2")
    ) {
      assert.throws(() => translate(pattern), /./, undefined, pattern.slice(0, 20))
    }
  })
  it("has Oniguruma's classes, over the Unicode that it has", () => {
    const all = (pattern: string, text: string) => [...text.matchAll(translate(pattern).regex)].map(([match]) => match)
    assert.deepStrictEqual(all(String.raw`\s`, "\ufeff\u0085\u00a0\u200b"), ["\u0085", "\u00a0"])
    assert.deepStrictEqual(all(String.raw`\w+`, "né m² \u{16ea0}"), ["né", "m²"])
    assert.deepStrictEqual(all(String.raw`[\w]+`, "m²"), ["m"])
    assert.deepStrictEqual(all("(?i:k)", "kK\u212a"), ["k", "K", "\u212a"])
    assert.deepStrictEqual(all("^.", "a\nb\n"), ["a", "b"])
    assert.deepStrictEqual(all("a(?i)b|c", "aB aC C"), ["aB", "aC"])
  })
})

describe("a tokenizer_config.json", () => {
  const config = (keys: object) => ({ "tokenizer_config.json": keys })
  const contradictions: ReadonlyArray<readonly [object, string, RegExp]> = [
    [{ do_lower_case: false }, "do_lower_case", /contradicts/],
    [{ strip_accents: false }, "strip_accents", /contradicts/],
    [{ tokenize_chinese_chars: false }, "tokenize_chinese_chars", /contradicts/],
    [{ fix_mistral_regex: true }, "fix_mistral_regex", /not supported/],
    [{ bos_token: { content: 5 } }, "bos_token.content", /text is expected/],
    [{ added_tokens_decoder: { 3: { content: "<x>" } } }, "added_tokens_decoder.3", /"<x>" has the id 7/],
    [{ added_tokens_decoder: [] }, "added_tokens_decoder", /object is expected/]
  ]
  for (const [keys, place, reason] of contradictions) {
    it.live(`that tokenizer.json contradicts is refused: ${place}`, () =>
      onDisk(Effect.gen(function*() {
        const error = yield* Effect.flip(loaded(json, config(keys)))
        assert.match(error.path, /tokenizer_config\.json$/)
        assert.strictEqual(error.place, place)
        assert.match(error.reason, reason)
      })))
  }
  it.live("that agrees with it is not", () =>
    onDisk(
      loaded(json, config({ do_lower_case: true, strip_accents: null, tokenize_chinese_chars: true, legacy: true }))
    ))
  it.live("and the files beside it are named where they are wrong", () =>
    onDisk(Effect.gen(function*() {
      const map = yield* Effect.flip(loaded(json, { "special_tokens_map.json": { bos_token: { content: 1 } } }))
      assert.match(map.path, /special_tokens_map\.json$/)
      const added = yield* Effect.flip(loaded(json, { "added_tokens.json": { "<x>": 8 } }))
      assert.match(added.message, /added_tokens\.json, "<x>": has the id 7 in tokenizer\.json; its id here is 8/)
    })))
  it.live("makes special tokens of those it names, and gives new ones the next ids", () =>
    onDisk(Effect.gen(function*() {
      const { decode, encode, id, size } = yield* loaded(json, config({ eos_token: "<x>", pad_token: "<pad>" }))
      assert.deepStrictEqual(encode("a<x><pad>"), [2, 7, 8])
      assert.deepStrictEqual([id("<pad>"), size], [8, 9])
      assert.strictEqual(decode([2, 7, 8, 3, 99]), "a b")
    })))
  it.live("may have special tokens read as text", () =>
    onDisk(Effect.gen(function*() {
      const { encode } = yield* loaded(json, config({ split_special_tokens: true }))
      assert.deepStrictEqual(encode("<s>a <x>"), [1, 7])
    })))
  it.live("tidies up what is decoded, but not byte pairs", () =>
    onDisk(Effect.gen(function*() {
      const keys = config({ clean_up_tokenization_spaces: true })
      const dotted = { ...json, added_tokens: [], model: { ...json.model, vocab: { "<s>": 0, u: 1, a: 2, ".": 3 } } }
      assert.strictEqual((yield* loaded(dotted, keys)).decode([2, 3]), "a.")
      const pairs = { ...dotted, model: { type: "BPE", vocab: { "<s>": 0, u: 1, a: 2, ".": 3 }, merges: [] } }
      assert.strictEqual((yield* loaded(pairs, keys)).decode([2, 3]), "a .")
    })))
})
