/** What the files of a model folder say of marks, lengths, heads and the ends of texts, and where they say too little. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { encode } from "../../../src/runtime/files/safetensors/write.ts"
import { ofDecoder, ofEncoder } from "../../../src/runtime/files/stateDict.ts"
import * as ReaderFolder from "../../../src/runtime/language/folder.ts"
import * as ReaderModel from "../../../src/runtime/language/model.ts"
import * as RetrieverFolder from "../../../src/runtime/retrieval/colbert/folder.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"
import { warned } from "../../support/warnings.ts"

type Json = Readonly<Record<string, unknown>>

/** The tiny system's folder with files of one model changed: keys of JSON put in, or the file replaced by bytes. */
const changed = Effect.fnUntraced(function*(
  model: "retriever" | "reader",
  files: Readonly<Record<string, Json | Uint8Array>>
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* Tiny.folder
  for (const [name, change] of Object.entries(files)) {
    const path = join(folder, model, name)
    if (change instanceof Uint8Array) yield* fs.writeFile(path, change)
    else {
      const before = (yield* fs.exists(path)) ? JSON.parse(yield* fs.readFileString(path)) as Json : {}
      yield* fs.writeFileString(path, JSON.stringify({ ...before, ...change }))
    }
  }
  return folder
}, Effect.orDie)
type Files = Parameters<typeof changed>[1]
const retriever = Effect.fnUntraced(function*(files: Files, overrides: Raw = {}) {
  const settings = yield* Tiny.settings(yield* changed("retriever", files), overrides)
  return yield* RetrieverFolder.open(settings.retriever_name_or_path, settings)
})
const reader = Effect.fnUntraced(function*(files: Files, overrides: Raw = {}) {
  const settings = yield* Tiny.settings(yield* changed("reader", files), overrides)
  return yield* ReaderFolder.open(settings.reader_name_or_path, settings)
})
const zeros = (shapes: Readonly<Record<string, ReadonlyArray<number>>>): Uint8Array =>
  encode(
    new Map(
      Object.entries(shapes).map(([name, shape]) => [
        name,
        { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }
      ])
    )
  )
const told: Raw = { query_max_len: 0, passage_max_len: 0 }

describe("a retriever's folder", () => {
  it.live("that says nothing has ColBERT's ways", () =>
    onDisk(Effect.map(retriever({}, told), ({ config, lengths, marks }) => {
      assert.deepStrictEqual(lengths, { query: 32, passage: 160 })
      assert.deepStrictEqual([config.dim, marks.query, marks.doc, marks.attendToMasks], [8, 5, 6, false])
      assert.isAbove(marks.skip.size, 3)
    })))
  it.live("may be ColBERT's", () =>
    onDisk(Effect.gen(function*() {
      const metadata = {
        query_token_id: "[MASK]",
        doc_token_id: "[SEP]",
        query_maxlen: 9,
        doc_maxlen: 11,
        attend_to_mask_tokens: true,
        mask_punctuation: false,
        checkpoint: null
      }
      const { lengths, marks } = yield* retriever({ "artifact.metadata": metadata }, told)
      assert.deepStrictEqual(lengths, { query: 9, passage: 11 })
      assert.deepStrictEqual([marks.query, marks.doc, marks.attendToMasks, marks.skip.size], [4, 3, true, 0])
      const own = yield* retriever({ "artifact.metadata": metadata }, { query_max_len: 12, passage_max_len: 0 })
      assert.deepStrictEqual(own.lengths, { query: 12, passage: 11 })
      const kept = JSON.parse(new Map(own.files).get("artifact.metadata")!) as object
      assert.deepInclude(kept, { query_maxlen: 12, doc_maxlen: 11, query_token_id: "[MASK]", dim: 8 })
    })))
  it.live("may be PyLate's", () =>
    onDisk(Effect.gen(function*() {
      const config = { query_prefix: "[MASK]", document_length: 13, skiplist_words: [",", "☃"], prompts: {} }
      const { lengths, marks } = yield* retriever({ "config_sentence_transformers.json": config }, told)
      assert.deepStrictEqual(lengths, { query: 32, passage: 13 })
      assert.deepStrictEqual([marks.query, marks.doc, marks.skip.size], [4, 6, 1])
    })))
  it.live("has a head of its own size, of the config's, or of the settings'", () =>
    onDisk(Effect.gen(function*() {
      const dim = (files: Files) => Effect.map(retriever(files, { dim: 24 }), ({ config }) => config.dim)
      assert.strictEqual(yield* dim({}), 8)
      assert.strictEqual(yield* dim({ "config.json": { dim: null } }), 24)
      assert.strictEqual(yield* dim({ "config.json": { dim: null }, "artifact.metadata": { dim: 12 } }), 12)
      const head = { "model.safetensors": zeros({ "linear.weight": [5, 16] }) }
      assert.strictEqual(yield* dim({ "config.json": { dim: null }, ...head }), 5)
      const error = yield* Effect.flip(dim(head))
      assert.match(error.message, /vectors of two sizes: config\.json, dim: 8; linear\.weight: 5$/)
    })))
  it.live("may lack its head only where it does not claim one", () =>
    onDisk(Effect.gen(function*() {
      const head = "linear.weight"
      const claimed = yield* retriever({})
      const silent = yield* retriever({ "config.json": { dim: null } })
      assert.deepStrictEqual([claimed, silent].map(({ loading }) => loading.dispensable(head)), [false, true])
      assert.isFalse(silent.loading.dispensable("bert.embeddings.LayerNorm.weight"))
    })))
  it.live("tells its copies what it is: the config a head, the metadata the marks", () =>
    onDisk(Effect.gen(function*() {
      const config = { query_prefix: "[MASK]", document_length: 13, skiplist_words: [","] }
      const { files, lengths, marks } = yield* retriever({ "config_sentence_transformers.json": config }, told)
      const written = new Map(files)
      const copy = yield* retriever({
        "config.json": new TextEncoder().encode(written.get("config.json")!),
        "artifact.metadata": new TextEncoder().encode(written.get("artifact.metadata")!)
      }, told)
      assert.deepStrictEqual([copy.lengths, copy.marks, copy.config.dim], [lengths, marks, 8])
    })))
  it.live("may be of sentence-transformers for single vectors, whose ways to compare are others", () =>
    onDisk(Effect.gen(function*() {
      const config = { similarity_fn_name: "cosine", prompts: { query: "q: " }, __version__: {} }
      const { lines, value } = yield* warned(retriever({ "config_sentence_transformers.json": config }))
      assert.deepStrictEqual(value.lengths, { query: 24, passage: 64 })
      assert.match(lines.join("\n"), /config_sentence_transformers\.json: not known here, and passed over: prompts$/)
    })))
  it.live("tells what it has in its files that nobody knows", () =>
    onDisk(Effect.gen(function*() {
      const metadata = { nbits: 2, kmeans_niters: 4, interaction: "colbert", query_maxlength: 8 }
      const { lines } = yield* warned(retriever({ "artifact.metadata": metadata }))
      assert.match(lines.join("\n"), /artifact\.metadata: not known here, and passed over: query_maxlength$/)
    })))
  it.live("is refused where markers leave no room for words", () =>
    onDisk(Effect.gen(function*() {
      const error = yield* Effect.flip(retriever({ "config.json": { max_position_embeddings: 3 } }, told))
      assert.match(error.message, /query_max_len \(3\), passage_max_len \(3\): of the tokens of a text 3 are markers/)
    })))
  const refusals: ReadonlyArray<readonly [string, Files, RegExp, RegExp]> = [
    [
      "marks that its tokenizer lacks",
      { "artifact.metadata": { query_token_id: "[Q]", doc_token_id: "[D]" } },
      /tokenizer\.json$/,
      /^\[Q\], \[D\] not in the vocabulary/
    ],
    ["another similarity", { "artifact.metadata": { similarity: "l2" } }, /artifact\.metadata$/, /cosine/],
    [
      "another interaction",
      { "artifact.metadata": { interaction: "flipr" } },
      /artifact\.metadata$/,
      /^interaction "flipr" is not known here$/
    ],
    [
      "texts before its texts",
      { "config_sentence_transformers.json": { query_prefix: "[MASK]", prompts: { query: "search: " } } },
      /config_sentence_transformers\.json$/,
      /^prompts \{"query": "search: "\} are not put before texts here$/
    ],
    [
      "another way to compare",
      { "config_sentence_transformers.json": { query_prefix: "[MASK]", similarity_fn_name: "cosine" } },
      /config_sentence_transformers\.json$/,
      /^similarity_fn_name "cosine" is not known here$/
    ],
    [
      "questions without augmentation",
      { "config_sentence_transformers.json": { do_query_expansion: false } },
      /config_sentence_transformers\.json$/,
      /do_query_expansion/
    ],
    [
      "fewer words than its tokenizer",
      { "config.json": { vocab_size: 20 } },
      /config\.json$/,
      /^20 are fewer than the ids/
    ],
    [
      "fewer positions than its lengths",
      { "artifact.metadata": { doc_maxlen: 300 } },
      /config\.json$/,
      /passage_max_len \(300\)/
    ]
  ]
  for (const [what, files, path, reason] of refusals) {
    it.live(`is refused with ${what}`, () =>
      onDisk(Effect.map(Effect.flip(retriever(files, told)), (error) => {
        assert.match(error.path, path)
        assert.match(error.reason, reason)
      })))
  }
})

describe("a reader's folder", () => {
  const ends = (files: Files) =>
    Effect.map(reader(files), ({ ends: { end, stops }, wrap }) => [end, [...stops], wrap] as const)
  it.live("ends texts by its generation config, its config or its tokenizer, the first that says", () =>
    onDisk(Effect.gen(function*() {
      const named = { "tokenizer_config.json": { eos_token: { content: "<unk>" } } }
      assert.deepStrictEqual(yield* ends({}), [3, [3], [2]])
      assert.deepStrictEqual(yield* ends({ "generation_config.json": { eos_token_id: [3, 4] } }), [3, [3, 4], [2]])
      assert.deepStrictEqual(yield* ends({ "config.json": { eos_token_id: [4, 1] }, ...named }), [1, [4, 1], [2]])
      assert.deepStrictEqual(yield* ends({ "config.json": { eos_token_id: null }, ...named }), [1, [1], [2]])
      const apart = { "special_tokens_map.json": { eos_token: "<pad>" } }
      assert.deepStrictEqual(yield* ends({ "config.json": { eos_token_id: null }, ...apart }), [0, [0], [2]])
    })))
  it.live("begins them as its tokenizer does, which may be not at all", () =>
    onDisk(Effect.gen(function*() {
      const template = (...tokens: ReadonlyArray<string>) => ({
        type: "TemplateProcessing",
        single: [
          ...tokens.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
          { Sequence: { id: "A", type_id: 0 } },
          { SpecialToken: { id: "</s>", type_id: 0 } }
        ],
        pair: [],
        special_tokens: Object.fromEntries(
          ["<s>", "<unk>", "</s>"].map((id, i) => [id, { id, ids: [[2, 1, 3][i]], tokens: [id] }])
        )
      })
      const processed = (...tokens: ReadonlyArray<string>) => ({
        "tokenizer.json": { post_processor: template(...tokens) }
      })
      assert.deepStrictEqual((yield* ends(processed("<unk>", "<s>")))[2], [1, 2])
      assert.deepStrictEqual((yield* ends(processed()))[2], [])
      assert.deepStrictEqual((yield* ends({ "config.json": { bos_token_id: null } }))[2], [])
    })))
  it.live("begins them without bos_token_id where its tokenizer says so, and tells where its tokenizer disagrees", () =>
    onDisk(Effect.gen(function*() {
      const says = (add_bos_token: boolean) => ({ "tokenizer_config.json": { add_bos_token, bos_token: "<unk>" } })
      assert.deepStrictEqual((yield* ends(says(false)))[2], [])
      assert.deepStrictEqual((yield* ends(says(true)))[2], [1])
      const single = [{ SpecialToken: { id: "<unk>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }]
      const special_tokens = { "<unk>": { id: "<unk>", ids: [1], tokens: ["<unk>"] } }
      const post_processor = { type: "TemplateProcessing", single, pair: [], special_tokens }
      const { lines, value } = yield* warned(ends({ "tokenizer.json": { post_processor }, ...says(false) }))
      assert.deepStrictEqual(value[2], [1])
      assert.match(lines.join("\n"), /tokenizer_config\.json: add_bos_token is false, but the post-processor/)
    })))
  const ids: ReadonlyArray<readonly [Files, RegExp]> = [
    [
      { "generation_config.json": { eos_token_id: [3, 9999] } },
      /generation_config\.json, eos_token_id: 9999: the vocabulary/
    ],
    [{ "config.json": { eos_token_id: 9999 } }, /config\.json, eos_token_id: 9999/],
    [{ "config.json": { bos_token_id: 9999 } }, /config\.json, bos_token_id: 9999/]
  ]
  for (const [files, reason] of ids) {
    it.live(`is refused with ids beyond its vocabulary: ${JSON.stringify(files)}`, () =>
      onDisk(Effect.map(Effect.flip(reader(files)), (error) => assert.match(error.message, reason))))
  }
  it.live("fills up with any token where its own is beyond the vocabulary", () =>
    onDisk(
      Effect.map(reader({ "config.json": { pad_token_id: 9999 } }), ({ ends: { padding } }) =>
        assert.strictEqual(padding, 0))
    ))
  it.live("is refused where nothing says how texts end", () =>
    onDisk(Effect.map(Effect.flip(reader({ "config.json": { eos_token_id: null } })), (error) => {
      assert.deepStrictEqual(error.place, "eos_token_id")
    })))
  it.live("needs heads in halves where prompts are long enough for shifted attention", () =>
    onDisk(Effect.gen(function*() {
      const odd = { "config.json": { num_attention_heads: 1, max_position_embeddings: 2048 } }
      const folder = yield* changed("reader", odd)
      const learning = Effect.fnUntraced(function*(overrides: Raw) {
        const settings = yield* Tiny.settings(folder, overrides)
        return yield* ReaderModel.make(ofReader(settings), true).pipe(Effect.provide(Tiny.core))
      })
      yield* learning({ max_length: 1000 })
      yield* learning({ max_length: 2000, use_full_attn: true })
      const error = yield* Effect.flip(learning({ max_length: 1020 }))
      assert.match(error.message, /num_attention_heads: 1 heads have no halves to shift apart; set use_full_attn: true/)
    })))
  it.live("has as many positions as it stretches to", () =>
    onDisk(Effect.gen(function*() {
      const rope = (rope_type: string) => ({ "config.json": { rope_parameters: { rope_type, factor: 2 } } })
      yield* reader(rope("linear"), { max_length: 320 })
      yield* reader(rope("dynamic"), { max_length: 320 })
      const error = yield* Effect.flip(reader(rope("default"), { max_length: 320 }))
      assert.match(error.reason, /160 positions are fewer than max_length \(320\)/)
    })))
})

describe("names in a checkpoint", () => {
  const [bert, modern] = [ofEncoder("bert"), ofEncoder("modernbert")]
  it("are those of the model with its prefix or without, and with the norms' old names", () => {
    const norm = "bert.embeddings.LayerNorm.weight"
    assert.deepStrictEqual(["embeddings.LayerNorm.weight", norm, "bert.embeddings.LayerNorm.gamma"].map(bert), [
      norm,
      norm,
      norm
    ])
    assert.strictEqual(modern("layers.0.mlp.Wi.weight"), modern("model.layers.0.mlp.Wi.weight"))
  })
  it("of heads of other tasks and of buffers are left out, and no others", () => {
    const beside = [
      "pooler.dense.weight",
      "bert.pooler.dense.bias",
      "cls.predictions.bias",
      "bert.embeddings.position_ids"
    ]
    assert.deepStrictEqual(beside.map(bert), beside.map(() => undefined))
    assert.deepStrictEqual(["head.dense.weight", "decoder.bias"].map(modern), [undefined, undefined])
    assert.strictEqual(bert("encoder.layer.0.adapter.weight"), "bert.encoder.layer.0.adapter.weight")
    assert.strictEqual(bert("1_Dense.linear.bias"), "1_Dense.linear.bias")
  })
  it("of decoders may lack the model's, and repeat a tied head or list frequencies", () => {
    const [tied, apart] = [true, false].map((tie_word_embeddings) => ofDecoder({ tie_word_embeddings }))
    assert.deepStrictEqual([tied!("lm_head.weight"), apart!("lm_head.weight")], [undefined, "lm_head.weight"])
    assert.strictEqual(apart!("norm.weight"), "model.norm.weight")
    assert.strictEqual(apart!("model.layers.0.self_attn.rotary_emb.inv_freq"), undefined)
    assert.strictEqual(apart!("score.weight"), "score.weight")
  })
})
