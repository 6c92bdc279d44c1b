/** `config.json` in its older and newer spellings, and every way in which it asks for what is not there. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { reach } from "../../../src/kernels/nn/rope.ts"
import { decodeDecoder, type DecoderConfig } from "../../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../../src/runtime/files/config/encoder.ts"
import { warned } from "../../support/warnings.ts"

type Json = Readonly<Record<string, unknown>>
const golden = (name: string): Json =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, "..", "..", "golden", "architectures", name, "config.json"), "utf8")
  ) as Json
const decoder = (json: Json): DecoderConfig => Effect.runSync(decodeDecoder(json))
const without = (json: Json, ...keys: ReadonlyArray<string>): Json =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !keys.includes(key)))
const llama = golden("llama")
const bare = without(llama, "rope_parameters")

describe("positions", () => {
  const spelled: ReadonlyArray<readonly [string, Json, Json]> = [
    ["rope_theta by itself", { rope_theta: 500 }, { rope_type: "default", rope_theta: 500 }],
    ["nothing", {}, { rope_type: "default", rope_theta: 10000 }],
    [
      "rope_scaling with a type",
      { rope_theta: 500, rope_scaling: { type: "linear", factor: 2 } },
      { rope_type: "linear", rope_theta: 500, factor: 2 }
    ],
    [
      "rope_scaling with a rope_type, its original length left out",
      { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
      {
        rope_type: "llama3",
        rope_theta: 10000,
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 32
      }
    ],
    [
      "a former name",
      {
        original_max_position_embeddings: 8,
        rope_scaling: { type: "su", short_factor: [1, 1], long_factor: [2, 3] }
      },
      {
        rope_type: "longrope",
        rope_theta: 10000,
        short_factor: [1, 1],
        long_factor: [2, 3],
        original_max_position_embeddings: 8,
        attention_factor: Math.sqrt(1 + Math.log(4) / Math.log(8))
      }
    ],
    [
      "DeepSeek's ratio",
      {
        rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 8, mscale: 2, mscale_all_dim: 0.5 }
      },
      {
        rope_type: "yarn",
        rope_theta: 10000,
        original_max_position_embeddings: 8,
        factor: 4,
        beta_fast: 32,
        beta_slow: 1,
        attention_factor: (0.2 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
        truncate: true
      }
    ]
  ]
  for (const [what, given, rope] of spelled) {
    it(`may be told by ${what}`, () => {
      const { partial_rotary_factor, ...found } = decoder({ ...bare, ...given }).rope_parameters
      assert.deepStrictEqual([partial_rotary_factor, found], [1, rope])
    })
  }
  it("reach farther where they are stretched", () => {
    const far = (name: string) => {
      const { max_position_embeddings, rope_parameters } = decoder(golden(name))
      return reach(rope_parameters, max_position_embeddings)
    }
    const names = ["llama", "llama-linear", "llama-dynamic", "llama-llama3", "llama-yarn"]
    assert.deepStrictEqual(names.map(far), [32, 64, 48, 128, 64])
  })
})

describe("a decoder's config", () => {
  it("is Llama's where it names no model_type, as many keys as queries where it does not say", () => {
    const { head_dim, num_key_value_heads } = decoder(without(llama, "model_type", "num_key_value_heads", "head_dim"))
    assert.deepStrictEqual([num_key_value_heads, head_dim], [4, 4])
  })
  it("has heads of 256 in Gemma where it does not say", () => {
    const size = (name: string) => decoder(without(golden(name), "head_dim")).head_dim
    assert.deepStrictEqual(["gemma", "gemma3", "llama"].map(size), [256, 256, 4])
  })
  it("ties the embeddings of Gemma where it does not say", () => {
    const tied = (name: string) => decoder(without(golden(name), "tie_word_embeddings")).tie_word_embeddings
    assert.deepStrictEqual(["gemma", "llama", "qwen2"].map(tied), [true, false, false])
  })
  it("may tell Gemma 3's layers and rotations as it did before", () => {
    const now = golden("gemma3")
    const before = {
      ...without(now, "layer_types", "rope_parameters", "tie_word_embeddings"),
      sliding_window_pattern: 2,
      rope_local_base_freq: 100,
      rope_theta: 10000,
      rope_scaling: { rope_type: "linear", factor: 4 }
    }
    assert.deepStrictEqual(decoder(before), decoder(now))
    const { layer_types, local_rope_parameters, query_pre_attn_scalar, rope_parameters } = decoder(
      without(now, "layer_types", "rope_parameters", "query_pre_attn_scalar")
    )
    assert.deepStrictEqual(layer_types, Array(3).fill("sliding_attention"))
    assert.deepStrictEqual([rope_parameters.rope_theta, local_rope_parameters?.rope_theta], [1e6, 1e4])
    assert.strictEqual(query_pre_attn_scalar, 256)
  })
  it("has a window only where it is used", () => {
    const window = (json: Json) => decoder(json).sliding_window
    const qwen = without(golden("qwen2"), "layer_types")
    assert.strictEqual(window({ ...qwen, sliding_window: 4 }), undefined)
    assert.strictEqual(window({ ...qwen, sliding_window: 4, use_sliding_window: true }), 4)
    assert.strictEqual(window(golden("mistral")), 5)
    assert.strictEqual(window({ ...llama, sliding_window: 4 }), undefined)
  })
  it("may name several tokens that end a text, and none that fills up", () => {
    const { eos_token_id, pad_token_id } = decoder({ ...llama, eos_token_id: [3, 5], pad_token_id: -1 })
    assert.deepStrictEqual([eos_token_id, pad_token_id], [[3, 5], 0])
    assert.deepStrictEqual(decoder({ ...llama, eos_token_id: null, pad_token_id: null }).eos_token_id, [])
  })
})

describe("what a config leaves out is what transformers takes it for", () => {
  it("a window of Mistral's, which null takes away", () => {
    const mistral = without(golden("mistral"), "sliding_window")
    assert.strictEqual(decoder(mistral).sliding_window, 4096)
    assert.strictEqual(decoder({ ...mistral, sliding_window: null }).sliding_window, undefined)
  })
  it("the first layer of Qwen with a window", () => {
    const qwen = { ...without(golden("qwen2"), "layer_types", "max_window_layers"), num_hidden_layers: 30 }
    const { layer_types } = decoder({ ...qwen, use_sliding_window: true, sliding_window: 4 })
    assert.deepStrictEqual(layer_types!.slice(-3), ["full_attention", "sliding_attention", "sliding_attention"])
  })
  it("heads of 128 in Qwen 3, the norms' epsilon of Phi-3", () => {
    assert.strictEqual(decoder(without(golden("qwen3"), "head_dim")).head_dim, 128)
    assert.strictEqual(decoder({ ...golden("qwen3"), head_dim: null }).head_dim, 4)
    assert.strictEqual(decoder(without(golden("phi3"), "rms_norm_eps")).rms_norm_eps, 1e-5)
    assert.strictEqual(decoder(without(golden("llama"), "rms_norm_eps")).rms_norm_eps, 1e-6)
  })
  it("the activation of Gemma, which only calls it gelu", () => {
    const act = (own: Json) =>
      decoder({ ...without(golden("gemma"), "hidden_act", "hidden_activation"), ...own }).hidden_act
    assert.deepStrictEqual([{}, { hidden_act: "gelu" }, { hidden_act: "relu" }].map(act), [
      "gelu_pytorch_tanh",
      "gelu_pytorch_tanh",
      "relu"
    ])
    assert.strictEqual(act({ hidden_act: "gelu", hidden_activation: "silu" }), "silu")
  })
  it("longrope, where Phi-3 calls it yarn", () => {
    const long = golden("phi3-longrope")
    const rope = { ...long["rope_parameters"] as object, rope_type: "yarn" }
    assert.deepStrictEqual(decoder({ ...long, rope_parameters: rope }), decoder(long))
  })
})

describe("keys beyond a config", () => {
  const keys = Effect.fnUntraced(function*(own: Json) {
    return (yield* warned(decodeDecoder({ ...llama, ...own }, "reader/config.json"))).lines
  })
  it.effect("that nobody knows are told by name, with the file", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* keys({ logit_scale: 2, scale_emb: 12, __proto__: 1 }), [
        "reader/config.json: not known here, and passed over: logit_scale, scale_emb"
      ])
      const own = JSON.parse("{\"__proto__\": 1, \"constructor\": 2, \"toString\": null}") as Json
      assert.deepStrictEqual(yield* keys({ ...own, model_type: "llama" }), [
        "reader/config.json: not known here, and passed over: __proto__, constructor"
      ])
      const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}${"x".repeat(1000)}`, i]))
      const [line] = yield* keys(many)
      assert.match(line!, /k0x+…, .* and 31 more$/)
      assert.isBelow(line!.length, 1000)
    }))
  it.effect("of a rotation too", () =>
    Effect.gen(function*() {
      const rope_parameters = { rope_type: "default", rope_theta: 5, mrope_section: [1] }
      assert.deepStrictEqual(yield* keys({ rope_parameters }), [
        "reader/config.json: not known here, and passed over: rope_parameters.mrope_section"
      ])
    }))
  it.effect("that say nothing of what is computed are passed over without a word", () =>
    Effect.gen(function*() {
      const own = {
        architectures: ["LlamaForCausalLM"],
        auto_map: {},
        attention_dropout: 0.1,
        pretraining_tp: 2,
        use_cache: false,
        torch_dtype: "bfloat16",
        quantization_config: null,
        pruned_heads: {},
        is_encoder_decoder: false,
        temperature: 0.6,
        num_beams: 4
      }
      assert.deepStrictEqual(yield* keys(own), [])
    }))
})

describe("a config is refused", () => {
  const refusals: ReadonlyArray<readonly [string, Json, RegExp]> = [
    [
      "of another model",
      { model_type: "gpt2" },
      /^model_type gpt2 is not one of llama, mistral, qwen2, qwen3, phi3, gemma, gemma3_text$/
    ],
    [
      "of another rotation",
      { rope_parameters: { rope_type: "spiral" } },
      /^rope_type spiral is not one of default, linear/
    ],
    [
      "without a factor",
      { rope_parameters: { rope_type: "llama3", factor: 2 } },
      /low_freq_factor[^]*high_freq_factor/
    ],
    [
      "with too few factors",
      { rope_parameters: { rope_type: "longrope", short_factor: [1], long_factor: [1, 2] } },
      /^rope_type longrope: 1 factors, not 2$/
    ],
    ["with heads that do not share out", { num_attention_heads: 3, head_dim: null }, /hidden_size 16 is no multiple/],
    [
      "with keys that do not share out",
      { num_key_value_heads: 3 },
      /num_attention_heads 4 is no multiple of num_key_value/
    ],
    ["with an odd head", { head_dim: 5 }, /the size of a head 5/],
    [
      "that is quantised",
      { quantization_config: { bits: 4 } },
      /^quantization_config \{"bits": 4\} is not known here$/
    ],
    ["with heads left out", { pruned_heads: { 0: [1] } }, /^pruned_heads \{"0": \[1\]\} is not known here$/],
    ["with another's attention", { add_cross_attention: true }, /^add_cross_attention true is not known here$/],
    ["of an encoder and a decoder", { is_encoder_decoder: true }, /^is_encoder_decoder true/],
    ["with heads turned in part, but for Phi-3's", { partial_rotary_factor: 0.5 }, /^partial_rotary_factor 0\.5 is/],
    ["the same in its rotation", { rope_parameters: { partial_rotary_factor: 0.5 } }, /^partial_rotary_factor 0\.5 is/],
    ["with dropout that there is not", { model_type: "phi3", resid_pdrop: 0.1 }, /^resid_pdrop 0\.1/],
    ["of a prototype's model", { model_type: "constructor" }, /^model_type constructor is not one of/],
    ["of a prototype's rotation", { rope_parameters: { rope_type: "toString" } }, /^rope_type toString is not one of/],
    ["of a prototype's activation", { hidden_act: "__proto__" }, /^hidden_act __proto__ is not one of/],
    ["with an endless name", { model_type: "x".repeat(1e6) }, /^model_type x{79}… is not one of/],
    ["with another activation", { hidden_act: "mish" }, /^hidden_act mish is not one of silu/],
    [
      "with windows out of order",
      { model_type: "qwen2", layer_types: ["sliding_attention", "full_attention"] },
      /layer_types/
    ],
    [
      "with logits that are capped",
      { model_type: "gemma3_text", final_logit_softcapping: 30 },
      /^softcapping of logits is not known here$/
    ],
    [
      "of other layers than it has",
      { model_type: "gemma3_text", layer_types: ["full_attention"] },
      /^layer_types has 1 of 2 layers$/
    ],
    [
      "with a size that is none",
      { hidden_size: "16", vocab_size: 0 },
      /vocab_size[^]*hidden_size|hidden_size[^]*vocab_size/
    ]
  ]
  for (const [what, given, reason] of refusals) {
    it(what, () => assert.match(Effect.runSync(Effect.flip(decodeDecoder({ ...llama, ...given }))).message, reason))
  }
  const encoders: ReadonlyArray<readonly [string, string, Json, RegExp]> = [
    [
      "of another encoder",
      "bert",
      { model_type: "electra" },
      /^model_type electra is not one of bert, modernbert, roberta, xlm-roberta, camembert, distilbert, mpnet, deberta, deberta-v2$/
    ],
    [
      "of distances that MPNet does not have",
      "bert",
      { model_type: "mpnet", relative_attention_num_buckets: 16 },
      /^relative_attention_num_buckets is 16, and MPNet's distances have 32$/
    ],
    ["with relative positions", "bert", { position_embedding_type: "relative_key" }, /position_embedding_type/],
    ["of a BERT that decodes", "bert", { is_decoder: true }, /is_decoder/],
    [
      "of a rotation that scales",
      "modernbert",
      { rope_parameters: { full_attention: { rope_type: "yarn", factor: 2 } } },
      /^rope_type yarn is not known of encoders$/
    ],
    ["of a window by another name", "modernbert", { sliding_window: 64 }, /^sliding_window 64 is not known here$/],
    ["of heads left out", "bert", { pruned_heads: { 0: [1] } }, /^pruned_heads/],
    ["of a prototype's encoder", "bert", { model_type: "hasOwnProperty" }, /^model_type hasOwnProperty is not one of/],
    ["of too few layers", "modernbert", { layer_types: ["full_attention"] }, /layer_types has 1 of 4 layers/]
  ]
  for (const [what, name, given, reason] of encoders) {
    it(
      what,
      () => assert.match(Effect.runSync(Effect.flip(decodeEncoder({ ...golden(name), ...given }))).message, reason)
    )
  }
})

describe("a config that is nested too deeply", () => {
  it("is none, without an end of the stack", () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = { a: deep }
    assert.match(Effect.runSync(Effect.flip(decodeDecoder(deep))).message, /vocab_size: is missing/)
    assert.strictEqual(Effect.runSync(decodeDecoder({ ...llama, rope_scaling: deep })).hidden_size, 16)
  })
})

describe("an encoder's config", () => {
  it("may tell ModernBERT's layers by their distance, as it did before", () => {
    const json = without(golden("modernbert"), "layer_types", "rope_parameters")
    const before = { ...json, global_attn_every_n_layers: 3, global_rope_theta: 160000, local_rope_theta: 10000 }
    assert.deepStrictEqual(Effect.runSync(decodeEncoder(before)), Effect.runSync(decodeEncoder(golden("modernbert"))))
  })
})
