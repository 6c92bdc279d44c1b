/** `config.json` of encoders of pictures, in the Hugging Face format: CLIP, SigLIP, ViT, DINOv2. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Size } from "../../../domain/pictures/Picture.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import type { PictureModelConfig } from "../../../kernels/nn/pictures/pictureModel.ts"
import type { Grid } from "../../../kernels/nn/pictures/positions.ts"
import type { VisionConfig, VisionFamily } from "../../../kernels/nn/pictures/vision.ts"
import { check } from "../config/foreignKeys.ts"
import {
  BadConfig,
  byType,
  Count,
  type Decode,
  isObject,
  type Json,
  keys,
  Layers,
  oneOf,
  or,
  Positive,
  refuse,
  uneven
} from "../config/keys.ts"

/** A config of encoders with what pictures have to be for it. */
export interface PictureConfig extends PictureModelConfig {
  /** Size of the pictures that positions were learned on. */
  readonly image: Size
}

const optional = Schema.optionalKey
const Side = Schema.Union([Count, Schema.Tuple([Count, Count])])

/** Sizes of a tower, with a family's defaults. */
const sizes = (
  c: { readonly d: number; readonly inner: number; readonly heads: number; readonly act: string; readonly eps: number }
) => ({
  hidden_size: or(Count, c.d),
  intermediate_size: or(Count, c.inner),
  num_hidden_layers: or(Layers, 12),
  num_attention_heads: or(Count, c.heads),
  hidden_act: or(Schema.String, c.act),
  layer_norm_eps: or(Positive, c.eps),
  initializer_range: or(Positive, 0.02)
})
const pictures = (image_size: number, patch_size: number) => ({
  image_size: or(Side, image_size),
  patch_size: or(Side, patch_size),
  num_channels: or(Count, 3)
})
const base = { d: 768, inner: 3072, heads: 12 }

const clipVision = Schema.Struct({ ...sizes({ ...base, act: "quick_gelu", eps: 1e-5 }), ...pictures(224, 32) })
const siglipVision = Schema.Struct({
  ...sizes({ ...base, act: "gelu_pytorch_tanh", eps: 1e-6 }),
  ...pictures(224, 16),
  vision_use_head: or(Schema.Boolean, true)
})
const texts = { vocab_size: Count, max_position_embeddings: Count }
const clipText = Schema.Struct({
  ...sizes({ d: 512, inner: 2048, heads: 8, act: "quick_gelu", eps: 1e-5 }),
  vocab_size: or(texts.vocab_size, 49_408),
  max_position_embeddings: or(texts.max_position_embeddings, 77),
  eos_token_id: or(Schema.Natural, 49_407)
})
const siglipText = Schema.Struct({
  ...sizes({ ...base, act: "gelu_pytorch_tanh", eps: 1e-6 }),
  vocab_size: or(texts.vocab_size, 32_000),
  max_position_embeddings: or(texts.max_position_embeddings, 64),
  projection_size: optional(Count)
})
const vitKeys = Schema.Struct({
  ...sizes({ ...base, act: "gelu", eps: 1e-12 }),
  ...pictures(224, 16),
  qkv_bias: or(Schema.Boolean, true)
})
const dinoKeys = Schema.Struct({
  hidden_size: or(Count, 768),
  num_hidden_layers: or(Layers, 12),
  num_attention_heads: or(Count, 12),
  hidden_act: or(Schema.String, "gelu"),
  layer_norm_eps: or(Positive, 1e-6),
  initializer_range: or(Positive, 0.02),
  ...pictures(224, 14),
  qkv_bias: or(Schema.Boolean, true),
  mlp_ratio: or(Positive, 4),
  layerscale_value: or(Schema.Finite, 1),
  use_swiglu_ffn: or(Schema.Boolean, false)
})

/** Families whose tower other models contain. */
export type TowerFamily = Extract<VisionFamily, "clip_vision_model" | "siglip_vision_model">

/** Keys of these models without effect on a vector. */
const idle = [
  ..."projection_dim initializer_factor dropout logit_scale_init_value vision_config_dict text_config_dict".split(" "),
  ..."hidden_dropout_prob encoder_stride pooler_output_size pooler_act drop_path_rate out_features out_indices".split(
    " "
  ),
  ..."stage_names apply_layernorm reshape_hidden_states use_mask_token projection_size vision_use_head".split(" "),
  /** Of towers in other models. */
  ..."vocab_size max_image_size size use_base_siglip".split(" ")
]

interface Towered {
  readonly hidden_size: number
  readonly num_attention_heads: number
  readonly hidden_act: string
}

const towerProblems = (c: Towered): ReadonlyArray<string | false> => [
  uneven("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads),
  oneOf("hidden_act", c.hidden_act, Object.keys(activations))
]

interface Pictured {
  readonly image_size: typeof Side.Type
  readonly patch_size: typeof Side.Type
  readonly num_channels: number
}

const sizeOf = (side: typeof Side.Type): Size => {
  const [height, width] = typeof side === "number" ? [side, side] : side
  return { height, width }
}

/** The grid of whole patches in a picture. */
export const gridOf = ({ height, width }: Size, patch: number): Grid => [
  Math.floor(height / patch),
  Math.floor(width / patch)
]

/** What the towers' keys say about pictures; refuses patches that are not square, or larger than pictures. */
const shown = Effect.fnUntraced(function*({ image_size, num_channels, patch_size }: Pictured) {
  const [image, patch] = [sizeOf(image_size), sizeOf(patch_size)]
  yield* refuse([
    patch.height !== patch.width && `patch_size ${patch.height} × ${patch.width} is not square`,
    Math.min(image.height, image.width) < patch.height && `image_size is less than patch_size (${patch.height})`,
    num_channels !== 3 && `num_channels ${num_channels} are not red, green and blue`
  ])
  return { image, sizes: { patch_size: patch.height, num_channels, positions: gridOf(image, patch.height) } }
})

const activation = (c: Towered) => ({ hidden_act: c.hidden_act as Activation })

/** The object under a key of a config; empty if there is none, since hubs' files leave out what is the default. */
export const under = (json: unknown, key: string): Json => {
  const found = isObject(json) ? json[key] : undefined
  return isObject(found) ? found : {}
}

/** Problems of a part of a config, with the part's name before them. */
export const within = (part: string) => <A, R>(effect: Effect.Effect<A, BadConfig, R>) =>
  Effect.mapError(effect, ({ problems }) => new BadConfig({ problems: problems.map((one) => `${part}.${one}`) }))

/** The vision tower of CLIP or SigLIP, and whether it has SigLIP's head, which makes one vector of a picture. */
export const decodeTower = Effect.fnUntraced(
  function*(family: TowerFamily, json: unknown, path: string, projection_dim = 0) {
    const schema = family === "clip_vision_model" ? clipVision : siglipVision
    const c = yield* keys(schema as typeof siglipVision)(json)
    yield* check(json, path, { used: Object.keys(schema.fields), idle })
    yield* refuse(towerProblems(c))
    const { image, sizes } = yield* shown(c)
    const vision: VisionConfig = { ...c, ...activation(c), ...sizes, model_type: family, projection_dim }
    return { vision, image, head: c.vision_use_head === true }
  }
)

/** Such a tower as an encoder. */
const visionPart = Effect.fnUntraced(
  function*(family: TowerFamily, json: unknown, path: string, projection_dim: number) {
    const { head, image, vision } = yield* decodeTower(family, json, path, projection_dim)
    yield* refuse([
      family === "siglip_vision_model" && !head &&
      "vision_use_head is false: there is nothing that makes one vector of a picture"
    ])
    return { vision, image }
  }
)

const Projection = Schema.Struct({
  projection_dim: or(Count, 512),
  architectures: or(Schema.Array(Schema.String), [])
})

const clip: Decode<PictureConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const { projection_dim } = yield* keys(Projection)(json)
  yield* check(json, path, { used: ["vision_config", "text_config", "projection_dim"], idle })
  const part = yield* visionPart("clip_vision_model", under(json, "vision_config"), path, projection_dim)
    .pipe(within("vision_config"))
  const own = under(json, "text_config")
  const text = yield* Effect.gen(function*() {
    const { eos_token_id, ...c } = yield* keys(clipText)(own)
    yield* check(own, path, { used: Object.keys(clipText.fields), idle })
    yield* refuse(towerProblems(c))
    const end = eos_token_id === 2 ? "greatest" as const : eos_token_id
    return { ...c, ...activation(c), model_type: "clip_text_model" as const, end, projection_dim }
  }).pipe(within("text_config"))
  return { ...part, text, scaled: "clip" }
})

const siglip: Decode<PictureConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  yield* check(json, path, { used: ["vision_config", "text_config"], idle })
  const part = yield* visionPart("siglip_vision_model", under(json, "vision_config"), path, 0)
    .pipe(within("vision_config"))
  const own = under(json, "text_config")
  const text = yield* Effect.gen(function*() {
    const { projection_size, ...c } = yield* keys(siglipText)(own)
    yield* check(own, path, { used: Object.keys(siglipText.fields), idle })
    const projection_dim = projection_size ?? c.hidden_size
    const vector = part.vision.hidden_size
    yield* refuse([
      ...towerProblems(c),
      projection_dim !== vector && `projection_size ${projection_dim} is not the size of pictures' vectors (${vector})`
    ])
    return { ...c, ...activation(c), model_type: "siglip_text_model" as const, end: 0, projection_dim }
  }).pipe(within("text_config"))
  return { ...part, text, scaled: "siglip" }
})

/** A tower by itself; of CLIP with its projection, if the model's class has it. */
const alone = (family: TowerFamily): Decode<PictureConfig> =>
  Effect.fnUntraced(function*(json, path = modelFiles.config) {
    const { architectures, projection_dim } = yield* keys(Projection)(json)
    const projects = architectures.some((name) => name.endsWith("WithProjection"))
    return yield* visionPart(family, json, path, projects ? projection_dim : 0)
  })

const vit: Decode<PictureConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(vitKeys)(json)
  yield* check(json, path, { used: Object.keys(vitKeys.fields), idle })
  yield* refuse(towerProblems(c))
  const { image, sizes } = yield* shown(c)
  return { vision: { ...c, ...activation(c), ...sizes, model_type: "vit", projection_dim: 0 }, image }
})

/** Width of DINOv2's MLP: gated ones have two thirds of it, in eights. */
const width = (hidden: number, ratio: number, gated: boolean): number => {
  const whole = Math.trunc(hidden * ratio)
  return gated ? Math.floor((Math.trunc(whole * 2 / 3) + 7) / 8) * 8 : whole
}

const dinov2: Decode<PictureConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const { mlp_ratio, use_swiglu_ffn: swiglu, ...c } = yield* keys(dinoKeys)(json)
  yield* check(json, path, { used: Object.keys(dinoKeys.fields), idle })
  yield* refuse(towerProblems(c))
  const { image, sizes } = yield* shown(c)
  const intermediate_size = width(c.hidden_size, mlp_ratio, swiglu)
  const vision = { ...c, ...activation(c), ...sizes, intermediate_size, swiglu, projection_dim: 0 }
  return { vision: { ...vision, model_type: "dinov2" }, image }
})

/** Decodes the config of an encoder of pictures; fails with what is invalid or unsupported. */
export const decodePictureModel: Decode<PictureConfig> = byType({
  clip,
  siglip,
  vit,
  dinov2,
  clip_vision_model: alone("clip_vision_model"),
  siglip_vision_model: alone("siglip_vision_model")
})
