/** Configs of decoders that read pictures, as hubs have them, and those that are refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { decodeReader } from "../../../src/runtime/files/vision/reader.ts"
import { namesOf, ofReader, partOf } from "../../../src/runtime/files/vision/readerNames.ts"

/** LLaVA 1.5's: what is not said is transformers' default. */
const llava = {
  architectures: ["LlavaForConditionalGeneration"],
  ignore_index: -100,
  image_token_index: 32_000,
  model_type: "llava",
  pad_token_id: 32_001,
  projector_hidden_act: "gelu",
  text_config: {
    _name_or_path: "lmsys/vicuna-7b-v1.5",
    architectures: ["LlamaForCausalLM"],
    max_position_embeddings: 4096,
    model_type: "llama",
    rms_norm_eps: 1e-5,
    torch_dtype: "float16",
    vocab_size: 32_064
  },
  tie_word_embeddings: false,
  vision_config: {
    hidden_size: 1024,
    image_size: 336,
    intermediate_size: 4096,
    model_type: "clip_vision_model",
    num_attention_heads: 16,
    num_hidden_layers: 24,
    patch_size: 14,
    projection_dim: 768,
    vocab_size: 32_000
  },
  vision_feature_layer: -2,
  vision_feature_select_strategy: "default"
}

/** SmolVLM 256M's. */
const smolvlm = {
  architectures: ["Idefics3ForConditionalGeneration"],
  model_type: "idefics3",
  image_token_id: 49_190,
  scale_factor: 4,
  pad_token_id: 2,
  tie_word_embeddings: false,
  text_config: {
    model_type: "llama",
    hidden_size: 576,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    intermediate_size: 1536,
    vocab_size: 49_280,
    rope_theta: 100_000,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 8192
  },
  vision_config: {
    hidden_size: 768,
    image_size: 512,
    patch_size: 16,
    num_attention_heads: 12,
    max_image_size: { longest_edge: 512 },
    model_type: "idefics3"
  }
}

const refused = (json: object) => Effect.map(Effect.flip(decodeReader(json)), ({ message }) => message)

describe("the config of a decoder that reads pictures", () => {
  it.effect("of LLaVA 1.5 has the sizes that it leaves out", () =>
    Effect.gen(function*() {
      const { pictures, ...text } = yield* decodeReader(llava)
      assert.deepStrictEqual(
        [text.hidden_size, text.num_hidden_layers, text.intermediate_size, text.vocab_size],
        [4096, 32, 11_008, 32_064]
      )
      assert.deepStrictEqual([text.max_position_embeddings, text.eos_token_id, text.bos_token_id], [4096, [2], 1])
      const { connector, features, rows } = pictures!
      assert.strictEqual(rows, 576)
      assert.deepStrictEqual([features.layers, features.whole, features.normed], [[23], false, false])
      assert.deepStrictEqual([connector.from, connector.to, connector.bias], [1024, 4096, true])
    }))
  it.effect("of SmolVLM makes a row of sixteen patches", () =>
    Effect.gen(function*() {
      for (const model_type of ["idefics3", "smolvlm"]) {
        const { pictures, ...text } = yield* decodeReader({ ...smolvlm, model_type })
        assert.deepStrictEqual([text.hidden_size, text.num_key_value_heads], [576, 3])
        assert.deepInclude(text.rope_parameters, { rope_type: "default", rope_theta: 100_000 })
        const { connector, features, rows } = pictures!
        assert.deepStrictEqual([rows, connector.from, connector.to, connector.bias], [64, 12_288, 576, false])
        assert.deepStrictEqual([features.vision.num_hidden_layers, features.vision.intermediate_size], [12, 3072])
        assert.deepStrictEqual([features.layers, features.normed, features.whole], [[12], true, true])
      }
    }))
  it.effect("takes several layers of the tower, from either end", () =>
    Effect.gen(function*() {
      const { pictures } = yield* decodeReader({ ...llava, vision_feature_layer: [-1, 0, 7] })
      assert.deepStrictEqual([pictures!.features.layers, pictures!.connector.from], [[24, 0, 7], 3072])
    }))
  it.effect("is refused by name where it asks for what is not done", () =>
    Effect.gen(function*() {
      const vision = (own: object) => refused({ ...llava, vision_config: { ...llava.vision_config, ...own } })
      assert.match(
        yield* vision({ model_type: "pixtral" }),
        /vision_config\.model_type "?pixtral"? is not one of clip_vision_model, siglip_vision_model/
      )
      for (const model_type of ["qwen2_vl", "mllama", "paligemma"]) {
        assert.match(yield* refused({ model_type }), /model_type .* is not one of llama, .*, llava, idefics3, smolvlm/)
      }
      assert.match(
        yield* refused({ ...llava, text_config: { ...llava.text_config, model_type: "qwen3_moe" } }),
        /text_config\.model_type .*qwen3_moe.* is not one of llama, mistral/
      )
      assert.match(yield* vision({ model_type: "siglip_vision_model" }), /select_strategy default leaves out the first/)
      assert.match(
        yield* refused({ ...llava, vision_feature_layer: -26 }),
        /vision_feature_layer -26: the tower has 24/
      )
      assert.match(yield* refused({ ...llava, image_token_index: 32_064 }), /pictures \(32064\) is beyond .*vocab_size/)
      assert.match(yield* refused({ ...smolvlm, scale_factor: 5 }), /scale_factor 5 does not divide the 32 patches/)
      assert.match(yield* refused({ ...llava, projector_hidden_act: "relu2" }), /projector_hidden_act .*relu2/)
    }))
})

describe("names of tensors", () => {
  it("are those of either spelling, each in its part", () => {
    const [files, memory] = [
      namesOf({ family: "llava" }, ["language_model.model.norm.weight"]),
      namesOf({ family: "llava" }, ["model.language_model.norm.weight"])
    ]
    assert.strictEqual(files.language("model.norm.weight"), "language_model.model.norm.weight")
    assert.strictEqual(memory.language("model.norm.weight"), "model.language_model.norm.weight")
    assert.strictEqual(memory.language("lm_head.weight"), "lm_head.weight")
    const part = partOf(memory)
    assert.deepStrictEqual(
      ["model.vision_tower.vision_model.x", "model.multi_modal_projector.x", "model.language_model.x", "y"].map(part),
      ["tower", "connector", "language", "language"]
    )
    const language = ofReader({ names: files, parts: ["language"], tied: true })
    assert.strictEqual(language("language_model.lm_head.weight"), undefined)
    assert.strictEqual(language("vision_tower.vision_model.embeddings.position_ids"), undefined)
    assert.strictEqual(language("multi_modal_projector.linear_1.weight"), undefined)
    assert.strictEqual(language("resampler.weight"), "resampler.weight", "is unknown, and told as such")
  })
})
