/** Models as GGUF files and back: the same tensors, config and token ids; what GGUF has no form for is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../../src/domain/Key.ts"
import { fromWords, toWords } from "../../../src/kernels/half.ts"
import { colbert } from "../../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import { flatten } from "../../../src/kernels/nn/Module.ts"
import { reference } from "../../../src/runtime/engine/providers.ts"
import type { Session } from "../../../src/runtime/engine/Session.ts"
import { decodeDecoder } from "../../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../../src/runtime/files/config/encoder.ts"
import { hashFile } from "../../../src/runtime/files/disk.ts"
import * as Gguf from "../../../src/runtime/files/gguf/read.ts"
import { readText } from "../../../src/runtime/files/model.ts"
import * as Safetensors from "../../../src/runtime/files/safetensors/write.ts"
import * as WeightFiles from "../../../src/runtime/files/weights.ts"
import * as ReaderFolder from "../../../src/runtime/language/folder.ts"
import * as SavedModel from "../../../src/runtime/models/export/folder.ts"
import * as SavedGguf from "../../../src/runtime/models/export/gguf.ts"
import * as ModelFolder from "../../../src/runtime/models/folder.ts"
import { initialise } from "../../../src/runtime/models/initialise.ts"
import { load } from "../../../src/runtime/models/load.ts"
import * as RetrieverFolder from "../../../src/runtime/retrieval/colbert/folder.ts"
import * as Tokenizer from "../../../src/runtime/tokenizers/tokenizer.ts"
import { ofReader } from "../../../src/systems/jmlr/layers.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"

const root = join(import.meta.dirname, "..", "..", "..")
const tokenizers = join(root, "test", "golden", "tokenizers")
const read = (path: string) => readFileSync(path, "utf8")
const kinds = {
  llama3: read(join(tokenizers, "llama3", "tokenizer.json")),
  /** With all merges that SentencePiece would have. */
  llama2: join(root, "test", "golden", "gguf", "tokens-llama2.gguf", "tokenizer.json"),
  gpt2: read(join(tokenizers, "gpt2", "tokenizer.json")),
  wordpiece: read(join(root, "experiments", "demo", "retriever", "tokenizer.json"))
}
const lines = (JSON.parse(read(join(tokenizers, "lines.json"))) as ReadonlyArray<string>).slice(0, 300)

type Json = Readonly<Record<string, unknown>>
const sizes: Json = {
  vocab_size: 4000,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  bos_token_id: 0,
  eos_token_id: 1
}

/** Configs of every architecture that is written. */
const models: Readonly<Record<string, Json>> = {
  llama: {
    ...sizes,
    model_type: "llama",
    tie_word_embeddings: false,
    attention_bias: true,
    mlp_bias: true,
    head_dim: 8,
    rope_theta: 500_000,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192
    }
  },
  mistral: { ...sizes, model_type: "mistral", sliding_window: null, bos_token_id: 1, eos_token_id: 2 },
  qwen2: {
    ...sizes,
    model_type: "qwen2",
    tie_word_embeddings: true,
    rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 }
  },
  qwen3: { ...sizes, model_type: "qwen3", head_dim: 16, rope_scaling: { rope_type: "linear", factor: 2 } },
  phi3: {
    ...sizes,
    model_type: "phi3",
    sliding_window: 7,
    original_max_position_embeddings: 16,
    rope_scaling: { type: "longrope", short_factor: [1, 1.25, 1.5, 2], long_factor: [1, 2, 4, 8] }
  },
  gemma: { ...sizes, model_type: "gemma", head_dim: 8, hidden_activation: "gelu_pytorch_tanh" },
  gemma3_text: {
    ...sizes,
    model_type: "gemma3_text",
    head_dim: 8,
    query_pre_attn_scalar: 8,
    sliding_window: 5,
    sliding_window_pattern: 2,
    rope_theta: 1e6,
    rope_local_base_freq: 100
  },
  bert: {
    vocab_size: 4000,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 24,
    model_type: "bert"
  }
}

const isBert = (config: Json): boolean => config["model_type"] === "bert"
const paramsOf = Effect.fnUntraced(function*(config: Json) {
  if (isBert(config)) return flatten(colbert({ ...(yield* decodeEncoder(config)), dim: 0 }).params)
  return flatten(causalLm(yield* decodeDecoder(config)).params)
})

/** Values that float16 holds too, none of them 0. */
const valued = (data: Float32Array, seed: number) =>
  fromWords(toWords(data.map((value, i) => value + 0.05 * Key.normal(Key.make(seed), i)), "float16"), "float16")

/** A model folder of a config and a tokenizer. */
const modelOf = Effect.fnUntraced(function*(config: Json, tokenizer: keyof typeof kinds, more: Json = {}) {
  const params = yield* paramsOf(config)
  const values = [...initialise(params, Key.make(1))]
  const special = tokenizer === "llama3"
    ? { bos_token: "<|begin_of_text|>", eos_token: "<|end_of_text|>" }
    : tokenizer === "llama2"
    ? { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" }
    : tokenizer === "gpt2"
    ? { eos_token: "<|endoftext|>" }
    : { unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" }
  return yield* folderOf({
    "config.json": JSON.stringify(config),
    "tokenizer.json": tokenizer === "llama2" ? yield* readText(kinds.llama2) : kinds[tokenizer],
    "tokenizer_config.json": JSON.stringify({ ...special, ...more }),
    "model.safetensors": Safetensors.encode(
      new Map(values.map(([path, data], i) => [path, { shape: params.get(path)!.shape, data: valued(data, i) }]))
    )
  })
})

/** Greatest difference of two arrays. */
const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope | Session>) =>
  onDisk(Effect.provide(effect, reference))

const back = Effect.fnUntraced(function*(file: string) {
  const out = join(yield* folderOf({}), "out")
  return yield* SavedModel.save(file, out, { dtype: "auto", maxShardSize: 1e9, card: "" })
})

describe("a model written as GGUF and read again", () => {
  const tokenizerOf = { llama: "llama3", mistral: "llama2", bert: "wordpiece" } as const
  for (const [name, config] of Object.entries(models)) {
    for (const type of ["F32", "F16"] as const) {
      it.live(`has the same tensors, config and ids: ${name} in ${type}`, () =>
        run(Effect.gen(function*() {
          const kind = tokenizerOf[name as keyof typeof tokenizerOf] ?? "llama3"
          const folder = yield* modelOf(config, kind, { chat_template: "{{ messages[0]['content'] }}" })
          const file = join(yield* folderOf({}), "m.gguf")
          yield* SavedGguf.save(folder, file, "m", type)
          const saved = yield* back(file)
          assert.strictEqual(
            saved.dtype,
            type === "F32" ? "float32" : name.startsWith("gemma") ? saved.dtype : "float16"
          )
          const tensors = yield* Safetensors.read(join(saved.folder, "model.safetensors"))
          const before = yield* Safetensors.read(join(folder, "model.safetensors"))
          assert.deepStrictEqual([...tensors.keys()].toSorted(), [...before.keys()].toSorted())
          for (const [path, { data, shape }] of before) {
            const got = tensors.get(path)!
            assert.deepStrictEqual(got.shape, shape, path)
            /** 1 + w is rounded to float32. */
            const most = name.startsWith("gemma") && path.includes("norm") ? 1.2e-7 : 0
            assert.isAtMost(furthest(got.data, data), most, path)
          }
          const decode = (path: string) => {
            const json = JSON.parse(read(join(path, "config.json"))) as Json
            return isBert(config) ? decodeEncoder(json) : decodeDecoder(json)
          }
          const wanted = yield* decode(folder)
          const got = { ...yield* decode(saved.folder) } as Readonly<Record<string, unknown>>
          for (const [key, value] of Object.entries(wanted)) {
            if (["initializer_range", "hidden_dropout_prob", "pad_token_id"].includes(key)) continue
            close(got[key], value, `${name} ${key}`)
          }
          const [one, other] = [yield* Tokenizer.load(folder), yield* Tokenizer.load(saved.folder)]
          assert.deepStrictEqual(other.start, one.start)
          for (const line of lines) assert.deepStrictEqual(other.encode(line), one.encode(line))
          assert.strictEqual(other.config["chat_template"], one.config["chat_template"])
        })))
    }
  }
  it.live("is a fifth to a third as large in blocks, and near", () =>
    run(Effect.gen(function*() {
      const folder = yield* modelOf(models["qwen2"]!, "llama3")
      const [whole, ...others] = yield* Effect.forEach(["F32", "Q8_0", "Q4_0"] as const, (type) =>
        Effect.gen(function*() {
          const file = join(yield* folderOf({}), "m.gguf")
          return [type, yield* SavedGguf.save(folder, file, "m", type), yield* Gguf.open(file)] as const
        }))
      assert.deepStrictEqual(
        others.map(([, { types }]) =>
          types
        ),
        [{ Q8_0: 15, F32: 11 }, { Q8_0: 1, Q4_0: 14, F32: 11 }]
      )
      for (const [type, , file] of others) {
        const name = "blk.1.ffn_down.weight"
        const [{ data }, { data: given }] = [yield* file.read(name), yield* whole![2].read(name)]
        const most = given.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
        assert.isAtMost(furthest(data, given), most * (type === "Q8_0" ? 0.01 : 0.13))
      }
    })))
  it.live("is a retriever", () =>
    run(Effect.gen(function*() {
      const folder = yield* modelOf(models["bert"]!, "wordpiece")
      const file = join(yield* folderOf({}), "m.gguf")
      yield* SavedGguf.save(folder, file, "m", "Q8_0")
      const lengths = { query_max_len: 12, passage_max_len: 20, dim: 16 }
      const [one, other] = yield* Effect.forEach([folder, file], (path) => RetrieverFolder.open(path, lengths))
      assert.deepStrictEqual(other!.marks, one!.marks)
      assert.strictEqual(other!.config.dim, 16)
    })))
  it.live("is a reader that learns, under an adapter that names the file as its base", () =>
    run(Effect.gen(function*() {
      const folder = yield* modelOf(models["qwen2"]!, "llama3")
      const file = join(folder, "m.gguf")
      yield* SavedGguf.save(folder, file, "m", "Q4_0")
      const config = yield* Tiny.settings(folder, { reader_name_or_path: file, max_length: 32, lora_r: 2 })
      const opened = yield* ReaderFolder.open(file, ofReader(config).prompting)
      const loaded = yield* load(opened, causalLm, {
        seed: 1,
        lora: {
          r: 2,
          lora_alpha: 4,
          lora_dropout: 0,
          use_rslora: false,
          target_modules: "all-linear",
          modules_to_save: []
        },
        learns: () => false,
        slots: [],
        task: "CAUSAL_LM"
      })
      assert.strictEqual(loaded.based!.sha256, yield* hashFile(file))
      assert.strictEqual((JSON.parse(loaded.based!.config) as Json)["base_model_name_or_path"], file)
      const adapter = yield* folderOf({
        "adapter_config.json": loaded.based!.config,
        "adapter_model.safetensors": Safetensors.encode(
          new Map(
            [...loaded.weights.current()].filter(([path]) => path.includes("lora_")).map(([path, data]) => [
              `base_model.model.${path}`,
              { shape: loaded.weights.params.get(path)!.shape, data: data as Float32Array }
            ])
          ),
          { base_sha256: loaded.based!.sha256 }
        )
      })
      assert.strictEqual((yield* ModelFolder.resolve(adapter)).folder, file)
      const merged = join(folder, "merged")
      yield* SavedModel.save(adapter, merged, { dtype: "float32", maxShardSize: 1e9, card: "" })
      const name = "model.layers.0.mlp.up_proj.weight"
      const got = (yield* Safetensors.read(join(merged, "model.safetensors"))).get(name)!
      const source = (yield* WeightFiles.open(file))!.get(name)!
      assert.strictEqual(furthest(got.data, (yield* source.file.read(name)).data), 0)
    })))
  it.live("is not written over a file, and leaves none if it fails", () =>
    run(Effect.gen(function*() {
      const folder = yield* modelOf(models["llama"]!, "llama3")
      const file = join(yield* folderOf({ "m.gguf": "mine" }), "m.gguf")
      assert.match((yield* Effect.flip(SavedGguf.save(folder, file, "m", "F32"))).message, /is there already/)
      assert.strictEqual(read(file), "mine")
    })))
})

/** Numbers may have been float32 on the way. */
const close = (got: unknown, wanted: unknown, what: string): void => {
  if (typeof wanted === "number") {
    assert.closeTo(Number(got), wanted, 1e-6 * Math.abs(wanted), what)
  } else if (typeof wanted === "object" && wanted !== null && !Array.isArray(wanted)) {
    for (const [key, value] of Object.entries(wanted)) close((got as Json)[key], value, `${what}.${key}`)
  } else if (Array.isArray(wanted)) wanted.forEach((value, i) => close((got as ReadonlyArray<unknown>)[i], value, what))
  else if (!(what.endsWith("model_type") && wanted === "mistral")) assert.deepStrictEqual(got, wanted, what)
}

describe("what GGUF has no form for is refused", () => {
  const refused = (config: Json, tokenizer: keyof typeof kinds, more: Json = {}) =>
    Effect.gen(function*() {
      const folder = yield* modelOf(config, tokenizer, more)
      return yield* Effect.flip(SavedGguf.save(folder, join(yield* folderOf({}), "m.gguf"), "m", "F32"))
    })
  for (
    const [what, config, tokenizer, place, reason] of [
      ["another activation", { ...models["mistral"], hidden_act: "gelu" }, "llama3", "hidden_act", /gelu has no form/],
      ["a window of Mistral", { ...models["mistral"], sliding_window: 8 }, "llama3", "sliding_window", /8 of 64/],
      [
        "dynamic RoPE",
        { ...models["mistral"], rope_scaling: { rope_type: "dynamic", factor: 2 } },
        "llama3",
        "rope_parameters",
        /dynamic has no form/
      ],
      [
        "another scale of attention",
        { ...models["gemma3_text"], query_pre_attn_scalar: 6 },
        "llama3",
        "query_pre_attn_scalar",
        /6 is not 8/
      ],
      ["a normalizer", models["mistral"]!, "gpt2", "pre_tokenizer", /without a name there, which has no form in GGUF/]
    ] as ReadonlyArray<readonly [string, Json, keyof typeof kinds, string, RegExp]>
  ) {
    it.live(what, () =>
      run(Effect.map(refused(config, tokenizer), (error) => {
        assert.strictEqual("place" in error && error.place, place)
        assert.match(error.message, reason)
      })))
  }
})
