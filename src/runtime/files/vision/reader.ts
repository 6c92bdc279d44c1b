/** `config.json` of decoders that read pictures, in the Hugging Face format: LLaVA, Idefics3, SmolVLM; or of a decoder alone. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Size } from "../../../domain/pictures/Picture.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import { area } from "../../../kernels/nn/pictures/positions.ts"
import {
  type ConnectorConfig,
  featureRows,
  type FeaturesConfig,
  featureSize
} from "../../../kernels/nn/pictures/reading.ts"
import { hasClassToken } from "../../../kernels/nn/pictures/vision.ts"
import { type DecoderConfig, decoders } from "../config/decoder.ts"
import { check } from "../config/foreignKeys.ts"
import {
  type BadConfig,
  byType,
  Count,
  type Decode,
  isObject,
  type Json,
  keys,
  oneOf,
  or,
  refuse
} from "../config/keys.ts"
import { decodeTower, type TowerFamily, under, within } from "./config.ts"

/** How a decoder reads pictures. */
export interface PicturesConfig {
  /** By which a picture's place in a text, and its tensors' names, are known. */
  readonly family: "llava" | "idefics3"
  /** Size of the pictures that the tower takes. */
  readonly image: Size
  readonly features: FeaturesConfig
  readonly connector: ConnectorConfig
  /** The id that stands for each row of a picture. */
  readonly image_token_id: number
  /** Rows of a picture, or of each of its parts. */
  readonly rows: number
}

/** A decoder's config, of one that reads pictures with `pictures`. */
export type ReaderConfig = DecoderConfig & { readonly pictures?: PicturesConfig }

/** Sizes that transformers assumes where a config leaves them out, as those of hubs do. */
const common: Json = { hidden_size: 4096, num_hidden_layers: 32, num_attention_heads: 32 }
const qwen: Json = {
  ...common,
  vocab_size: 151_936,
  intermediate_size: 22_016,
  num_key_value_heads: 32,
  max_position_embeddings: 32_768
}
const llama: Json = {
  ...common,
  vocab_size: 32_000,
  intermediate_size: 11_008,
  max_position_embeddings: 2048,
  bos_token_id: 1,
  eos_token_id: 2
}
const assumed: Readonly<Record<string, Json>> = {
  llama,
  mistral: { ...llama, intermediate_size: 14_336, num_key_value_heads: 8, max_position_embeddings: 131_072 },
  qwen2: qwen,
  qwen3: qwen
}

const Typed = Schema.Struct({ model_type: or(Schema.String, "llama") })

/** The decoder of a part of a config; its head is tied if the whole or the part says so. */
const textOf = Effect.fnUntraced(function*(json: unknown, path: string, tied: boolean, more: Json = {}) {
  const own = under(json, "text_config")
  const { model_type } = yield* keys(Typed)(own)
  yield* refuse([oneOf("model_type", model_type, Object.keys(decoders))])
  const decode: Decode<DecoderConfig> = decoders[model_type as keyof typeof decoders]
  const c = yield* decode({ ...assumed[model_type], ...more, ...own, model_type }, path)
  const end = isObject(json) ? json["eos_token_id"] : undefined
  return {
    ...c,
    tie_word_embeddings: tied || c.tie_word_embeddings,
    eos_token_id: c.eos_token_id.length === 0 && typeof end === "number" ? [end] : c.eos_token_id
  }
}, within("text_config"))

const Layer = Schema.Int
const Llava = Schema.Struct({
  image_token_index: Schema.optionalKey(Schema.Natural),
  image_token_id: Schema.optionalKey(Schema.Natural),
  vision_feature_layer: or(Schema.Union([Layer, Schema.NonEmptyArray(Layer)]), -2),
  vision_feature_select_strategy: or(Schema.Literals(["default", "full"]), "default"),
  projector_hidden_act: or(Schema.String, "gelu"),
  multimodal_projector_bias: or(Schema.Boolean, true),
  tie_word_embeddings: or(Schema.Boolean, false)
})

/** The tower of a config without `vision_config`, which is LLaVA 1.5's. */
const large: Json = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  patch_size: 14,
  image_size: 336
}

const towers: ReadonlyArray<TowerFamily> = ["clip_vision_model", "siglip_vision_model"]

const llavaTower = Effect.fnUntraced(function*(json: unknown, path: string) {
  const whole = isObject(json) && isObject(json["vision_config"])
  const own = whole ? under(json, "vision_config") : large
  const { model_type } = yield* keys(Schema.Struct({ model_type: or(Schema.String, "clip_vision_model") }))(own)
  yield* refuse([oneOf("model_type", model_type, towers)])
  return yield* decodeTower(model_type as TowerFamily, own, path)
}, within("vision_config"))

/** Layers as numbers of those before a state; of negative ones, -1 is the last. */
const layersOf = Effect.fnUntraced(function*(given: number | ReadonlyArray<number>, count: number) {
  const found = [given].flat().map((layer) => layer < 0 ? count + 1 + layer : layer)
  yield* refuse(
    found.map((layer, i) =>
      (layer < 0 || layer > count) && `vision_feature_layer ${[given].flat()[i]}: the tower has ${count} layers`
    )
  )
  return found
})

const llava: Decode<ReaderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(Llava)(json)
  const parts = ["text_config", "vision_config"]
  yield* check(json, path, { used: [...Object.keys(Llava.fields), ...parts], idle: ["image_seq_length"] })
  const text = yield* textOf(json, path, c.tie_word_embeddings)
  const { head, image, vision } = yield* llavaTower(json, path)
  const layers = yield* layersOf(c.vision_feature_layer, vision.num_hidden_layers)
  const whole = c.vision_feature_select_strategy === "full"
  yield* refuse([
    oneOf("projector_hidden_act", c.projector_hidden_act, Object.keys(activations)),
    !whole && !hasClassToken(vision.model_type) &&
    "vision_feature_select_strategy default leaves out the first of the tower's states, which here is a patch's; set it to full"
  ])
  const features: FeaturesConfig = { vision, layers, whole, normed: false, shuffle: 1, head }
  const connector: ConnectorConfig = {
    kind: "mlp",
    from: featureSize(features),
    to: text.hidden_size,
    hidden_act: c.projector_hidden_act as Activation,
    bias: c.multimodal_projector_bias,
    initializer_range: text.initializer_range
  }
  const image_token_id = c.image_token_id ?? c.image_token_index ?? 32_000
  return yield* fitting(text, {
    family: "llava",
    image,
    features,
    connector,
    image_token_id,
    rows: featureRows(features)
  })
})

/** The whole config; refuses an id beyond the vocabulary. */
const fitting = (text: DecoderConfig, pictures: PicturesConfig): Effect.Effect<ReaderConfig, BadConfig> =>
  Effect.as(
    refuse([
      pictures.image_token_id >= text.vocab_size &&
      `the id of pictures (${pictures.image_token_id}) is beyond text_config.vocab_size (${text.vocab_size})`
    ]),
    { ...text, pictures }
  )

const Idefics3 = Schema.Struct({
  image_token_id: or(Schema.Natural, 128_257),
  scale_factor: or(Count, 2),
  tie_word_embeddings: or(Schema.Boolean, false)
})

/** What Idefics3's tower is where its config does not say. */
const square: Json = {
  hidden_size: 1152,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 16,
  image_size: 224,
  patch_size: 32,
  vision_use_head: false
}

const idefics3: Decode<ReaderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(Idefics3)(json)
  const parts = ["text_config", "vision_config"]
  yield* check(json, path, { used: [...Object.keys(Idefics3.fields), ...parts], idle: ["image_seq_len"] })
  const given = isObject(json) && isObject(json["text_config"])
  const text = yield* textOf(json, path, c.tie_word_embeddings, given ? {} : { rms_norm_eps: 1e-5 })
  const { image, vision } = yield* decodeTower(
    "siglip_vision_model",
    { ...square, ...under(json, "vision_config") },
    path
  )
    .pipe(within("vision_config"))
  const [high, wide] = vision.positions
  yield* refuse([
    high !== wide && `image_size ${image.height} × ${image.width} is not square`,
    high % c.scale_factor !== 0 && `scale_factor ${c.scale_factor} does not divide the ${high} patches of a side`
  ])
  const layers = [vision.num_hidden_layers]
  const features: FeaturesConfig = { vision, layers, whole: true, normed: true, shuffle: c.scale_factor, head: false }
  const connector: ConnectorConfig = {
    kind: "linear",
    from: featureSize(features),
    to: text.hidden_size,
    hidden_act: "relu",
    bias: false,
    initializer_range: text.initializer_range
  }
  const rows = area(vision.positions) / c.scale_factor ** 2
  return yield* fitting(text, {
    family: "idefics3",
    image,
    features,
    connector,
    image_token_id: c.image_token_id,
    rows
  })
})

/** Decodes the config of a decoder, with or without pictures; fails with what is invalid or unsupported. */
export const decodeReader: Decode<ReaderConfig> = byType<ReaderConfig>({
  ...decoders,
  llava,
  idefics3,
  smolvlm: idefics3
})
