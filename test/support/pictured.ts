/** A tiny decoder that reads pictures of 8 × 8 pixels as four rows of features, in place of the tiny reader. */
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { reader } from "../../src/kernels/nn/pictures/reader.ts"
import { features } from "../../src/kernels/nn/pictures/reading.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { decodeReader } from "../../src/runtime/files/vision/reader.ts"
import { namesOf } from "../../src/runtime/files/vision/readerNames.ts"
import { initialise } from "../../src/runtime/models/initialise.ts"
import * as Tiny from "./tiny.ts"

/** Rows of a picture. */
export const ROWS = 4

interface Vocabulary {
  readonly model: { readonly vocab: Record<string, number> }
  readonly added_tokens: Array<object>
}

const tower = {
  model_type: "clip_vision_model",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  image_size: 8,
  patch_size: 4,
  initializer_range: 0.3
}

/** Makes the folder's `reader` one that reads pictures, with weights. */
export const pictured = Effect.fnUntraced(function*(folder: string) {
  const path = (name: string) => join(folder, "reader", name)
  const tokenizer = JSON.parse(readFileSync(path("tokenizer.json"), "utf8")) as Vocabulary
  const id = Object.keys(tokenizer.model.vocab).length
  tokenizer.model.vocab["<image>"] = id
  tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id, content: "<image>" })
  const config = {
    architectures: ["LlavaForConditionalGeneration"],
    model_type: "llava",
    image_token_index: id,
    vision_feature_layer: -2,
    tie_word_embeddings: true,
    text_config: { ...Tiny.decoderConfig, vocab_size: id + 1 },
    vision_config: tower
  }
  const c = yield* decodeReader(config)
  const names = namesOf(c.pictures!, [])
  const params = new Map([
    ...flatten(reader(c, names, c.pictures!.connector).params),
    ...flatten(features(c.pictures!.features, names.tower).all)
  ])
  const drawn = initialise(params, Key.make(5))
  const weights = new Map([...drawn].map(([name, data]) => [name, { shape: params.get(name)!.shape, data }]))
  writeFileSync(path("tokenizer.json"), JSON.stringify(tokenizer))
  writeFileSync(path("config.json"), JSON.stringify(config))
  writeFileSync(
    path("preprocessor_config.json"),
    JSON.stringify({ image_processor_type: "SiglipImageProcessor", size: { height: 8, width: 8 } })
  )
  writeFileSync(path("model.safetensors"), Safetensors.encode(weights))
  return { id, names, weights }
})
