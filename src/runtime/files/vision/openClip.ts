/**
 * `open_clip_config.json`: encoders of pictures and texts as open_clip publishes them, of which timm's ViT beside a BERT (BiomedCLIP)
 * is read. It names both and has few sizes: the others are those of the tensors.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { Colour, Preprocessing } from "../../../domain/pictures/preprocess.ts"
import type { BertConfig } from "../../../kernels/nn/bert.ts"
import type { BertTextConfig } from "../../../kernels/nn/pictures/bertText.ts"
import type { VisionConfig } from "../../../kernels/nn/pictures/vision.ts"
import { Count, isObject, keys, oneOf, or, refuse, tell } from "../config/keys.ts"
import type { PictureConfig } from "./config.ts"
import { clip } from "./preprocessor.ts"

const optional = Schema.optionalKey
const Channels = Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite])
const Side = Schema.Union([Count, Schema.Tuple([Count, Count])])

const Vision = Schema.Struct({
  timm_model_name: optional(Schema.String),
  timm_pool: or(Schema.String, "avg"),
  timm_proj: or(Schema.String, "linear"),
  timm_proj_bias: or(Schema.Boolean, false),
  image_size: or(Side, 224)
})
const Text = Schema.Struct({
  hf_model_name: optional(Schema.String),
  hf_proj_type: or(Schema.String, "mlp"),
  hf_pooler_type: or(Schema.String, "mean_pooler"),
  context_length: or(Count, 77),
  tokenizer_mode: optional(Schema.String),
  tokenizer_kwargs: optional(Schema.Record(Schema.String, Schema.Unknown))
})
const Preprocess = Schema.Struct({
  size: optional(Side),
  mode: or(Schema.String, "RGB"),
  mean: or(Channels, clip.mean),
  std: or(Channels, clip.std),
  interpolation: or(Schema.String, "bicubic"),
  resize_mode: or(Schema.String, "shortest")
})
const Model = Schema.Struct({ embed_dim: Count, quick_gelu: or(Schema.Boolean, false) })

/** Keys without effect on a vector: where first weights came from, dropout, and the fill of what is not padded here. */
const idle = new Set(
  ("timm_model_pretrained timm_drop timm_drop_path patch_dropout output_tokens hf_model_pretrained hf_tokenizer_name fill_color "
    + "vocab_size init_logit_scale nonscalar_logit_scale custom_text").split(" ")
)

/** The parts of the file, decoded; keys that are not known are told. */
export interface OpenClip {
  readonly embed_dim: number
  readonly vision: typeof Vision.Type
  readonly text: typeof Text.Type
  readonly preprocess: typeof Preprocess.Type
}

const under = (json: unknown, key: string): Readonly<Record<string, unknown>> => {
  const found = isObject(json) ? json[key] : undefined
  return isObject(found) ? found : {}
}

const ofTimm = /^vit_(?:tiny|small|base|large)_patch(\d+)_(\d+)(?:\.\w+)?$/

/** Decodes the file; fails with what is invalid or not done here. */
export const decodeOpenClip = Effect.fnUntraced(function*(json: unknown, path: string = modelFiles.openClip) {
  const model = under(json, "model_cfg")
  const parts = { vision_cfg: Vision, text_cfg: Text }
  const { embed_dim, quick_gelu } = yield* keys(Model)(model)
  const vision = yield* keys(Vision)(under(model, "vision_cfg"))
  const text = yield* keys(Text)(under(model, "text_cfg"))
  const preprocess = yield* keys(Preprocess)(under(json, "preprocess_cfg"))
  const unknown = (given: object, known: object) =>
    Object.keys(given).filter((key) => !(key in known) && !idle.has(key))
  yield* tell(path, [
    ...Object.entries(parts).flatMap(([key, { fields }]) => unknown(under(model, key), fields)),
    ...unknown(under(json, "preprocess_cfg"), Preprocess.fields)
  ])
  const timm = vision.timm_model_name
  const clean = text.tokenizer_kwargs?.["clean"] ?? "whitespace"
  yield* refuse([
    (timm === undefined || text.hf_model_name === undefined)
    && "of open_clip's models, those of a timm_model_name and an hf_model_name are read; of others, transformers' form (config.json)",
    timm !== undefined && !ofTimm.test(timm)
    && `timm_model_name ${timm} is not one of vit_tiny, vit_small, vit_base, vit_large with a patch and a size, as vit_base_patch16_224`,
    quick_gelu && "quick_gelu is not known of timm's towers",
    oneOf("timm_pool", vision.timm_pool, ["", "token"]),
    oneOf("timm_proj", vision.timm_proj, ["linear"]),
    vision.timm_proj_bias && "timm_proj_bias is not known here",
    oneOf("hf_proj_type", text.hf_proj_type, ["linear", "mlp"]),
    oneOf("hf_pooler_type", text.hf_pooler_type, ["cls_last_hidden_state_pooler"]),
    text.tokenizer_mode !== undefined && text.tokenizer_mode !== "" &&
    `tokenizer_mode ${text.tokenizer_mode} is not known here`,
    clean !== "whitespace" && `tokenizer_kwargs.clean ${String(clean)} is not known here`,
    text.tokenizer_kwargs?.["strip_sep_token"] === true && "tokenizer_kwargs.strip_sep_token is not known here",
    oneOf("mode", preprocess.mode, ["RGB"]),
    oneOf("interpolation", preprocess.interpolation, ["bicubic", "bilinear", "random"]),
    oneOf("resize_mode", preprocess.resize_mode, ["shortest", "squash"]),
    preprocess.std.some((deviation) => deviation <= 0) && "std is to be positive"
  ])
  return { embed_dim, vision, text, preprocess } satisfies OpenClip as OpenClip
})

const sizeOf = (side: typeof Side.Type) => typeof side === "number" ? [side, side] as const : side

/** How pictures are prepared, as torchvision does it on Pillow's pictures. */
export const preparationOf = ({ preprocess, vision }: OpenClip): Preprocessing => {
  const [height, width] = sizeOf(preprocess.size ?? vision.image_size)
  const squash = preprocess.resize_mode === "squash"
  return {
    alpha: "drop",
    sizes: squash ? [{ height, width }] : [{ shortest: height }],
    filter: preprocess.interpolation === "bilinear" ? "bilinear" : "bicubic",
    ...(squash ? {} : { crop: { height, width }, half: "even" as const }),
    scale: 1 / 255,
    normalise: { mean: preprocess.mean as Colour, std: preprocess.std as Colour }
  }
}

/** Shapes of a folder's tensors, by name. */
type Shapes = ReadonlyMap<string, ReadonlyArray<number>>

/** Numbers of a head, in timm's towers of these names and in Google's BERTs. */
const HEAD = 64

/** The number of layers whose tensors have names before and after their number. */
const layersIn = (shapes: Shapes, before: string, after: string): number => {
  let count = 0
  while (shapes.has(`${before}${count}${after}`)) count++
  return count
}

const TRUNK = "visual.trunk."
const BERT = "text.transformer."

/** BERT's sizes by its tensors, where no config tells them: heads of 64 numbers, and the rest as in Google's. */
const bertOf = (shapes: Shapes): BertConfig => {
  const [vocab_size = 0, hidden_size = 0] = shapes.get(`${BERT}embeddings.word_embeddings.weight`) ?? []
  const [positions = 0] = shapes.get(`${BERT}embeddings.position_embeddings.weight`) ?? []
  const [types = 0] = shapes.get(`${BERT}embeddings.token_type_embeddings.weight`) ?? []
  const [intermediate_size = 0] = shapes.get(`${BERT}encoder.layer.0.intermediate.dense.weight`) ?? []
  return {
    model_type: "bert",
    vocab_size,
    hidden_size,
    intermediate_size,
    num_hidden_layers: layersIn(shapes, `${BERT}encoder.layer.`, ".attention.self.query.weight"),
    num_attention_heads: hidden_size / HEAD,
    max_position_embeddings: positions,
    type_vocab_size: types,
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: 0,
    initializer_range: 0.02
  }
}

/** What the file and the tensors, taken apart (`fused.ts`), say together; `given` is the config of its BERT, where the folder has one, with the padding id. */
export const configOf = Effect.fnUntraced(function*(
  { embed_dim, text, vision }: OpenClip,
  shapes: Shapes,
  pad: number,
  given?: BertConfig
) {
  const [hidden_size = 0, , patch_size = 0] = shapes.get(`${TRUNK}patch_embed.proj.weight`) ?? []
  const [intermediate_size = 0] = shapes.get(`${TRUNK}blocks.0.mlp.fc1.weight`) ?? []
  const [height, width] = sizeOf(vision.image_size)
  const own = given ?? bertOf(shapes)
  const [, patch] = ofTimm.exec(vision.timm_model_name!)!
  yield* refuse([
    (patch_size === 0 || intermediate_size === 0) && `the weights have no ${TRUNK} of timm's ViT`,
    patch_size > 0 && Number(patch) !== patch_size
    && `timm_model_name ${vision.timm_model_name} is not of the patches of the weights (${patch_size})`,
    hidden_size % HEAD !== 0 && `the tower's ${hidden_size} numbers are not heads of ${HEAD}`,
    (own.hidden_size === 0 || !Number.isInteger(own.num_attention_heads))
    && `the text encoder's ${own.hidden_size} numbers are not heads of ${HEAD}; put the config.json of ${text.hf_model_name} beside the weights`,
    text.context_length > own.max_position_embeddings
    && `context_length ${text.context_length} exceeds the text encoder's ${own.max_position_embeddings} positions`
  ])
  const tower: VisionConfig = {
    model_type: "timm_vit",
    hidden_size,
    intermediate_size,
    num_hidden_layers: layersIn(shapes, `${TRUNK}blocks.`, ".attn.q_proj.weight"),
    num_attention_heads: hidden_size / HEAD,
    hidden_act: "gelu",
    layer_norm_eps: 1e-6,
    initializer_range: 0.02,
    patch_size,
    num_channels: 3,
    positions: [Math.floor(height / patch_size), Math.floor(width / patch_size)],
    projection_dim: embed_dim
  }
  const words: BertTextConfig = {
    model_type: "bert",
    bert: own,
    vocab_size: own.vocab_size,
    max_position_embeddings: text.context_length,
    pad,
    projection: text.hf_proj_type as BertTextConfig["projection"],
    projection_dim: embed_dim
  }
  return {
    vision: tower,
    text: words,
    image: { height, width },
    scaled: "clip"
  } satisfies PictureConfig as PictureConfig
})
