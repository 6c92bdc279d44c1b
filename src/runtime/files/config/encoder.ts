/** `config.json` of encoders, in the Hugging Face format. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { BertConfig } from "../../../kernels/nn/bert.ts"
import type { DebertaConfig } from "../../../kernels/nn/deberta.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import type { ModernBertConfig } from "../../../kernels/nn/modernBert.ts"
import { deberta, debertaV2 } from "./deberta.ts"
import { check } from "./foreignKeys.ts"
import {
  byType,
  Count,
  type Decode,
  keys,
  Layers,
  LayerTypes,
  miscounted,
  oneOf,
  or,
  Positive,
  Rate,
  refuse,
  tell,
  typesOf,
  uneven
} from "./keys.ts"
import { placesOf, ropeOf, strangers } from "./rope.ts"

/** Config of an encoder, with the dimension of a token vector if the file gives it. */
export type EncoderConfig = (BertConfig | DebertaConfig | ModernBertConfig) & { readonly dim?: number }

const optional = Schema.optionalKey
const sizes = {
  vocab_size: Count,
  hidden_size: Count,
  intermediate_size: Count,
  num_hidden_layers: Layers,
  num_attention_heads: Count,
  max_position_embeddings: Count,
  initializer_range: or(Positive, 0.02),
  /** Output dimension of the ColBERT head; 0 for the hidden states themselves. */
  dim: optional(Schema.Natural)
}
const heads = (c: { readonly hidden_size: number; readonly num_attention_heads: number }) =>
  uneven("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads)
const acts = Object.keys(activations)

const ofBert = {
  ...sizes,
  type_vocab_size: or(Count, 2),
  layer_norm_eps: or(Positive, 1e-12),
  hidden_dropout_prob: or(Rate, 0.1),
  hidden_act: or(Schema.String, "gelu")
}
const BertKeys = Schema.Struct({
  ...ofBert,
  position_embedding_type: or(Schema.String, "absolute"),
  is_decoder: or(Schema.Boolean, false)
})

/** Problems that BERT and its relatives have in common. */
const checkBert = (c: BertConfig) => refuse([heads(c), oneOf("hidden_act", String(c.hidden_act), acts)])

const bert: Decode<EncoderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const { is_decoder, position_embedding_type, ...c } = yield* keys(BertKeys)(json)
  yield* check(json, path, { used: Object.keys(BertKeys.fields) })
  yield* refuse([
    oneOf("position_embedding_type", position_embedding_type, ["absolute"]),
    is_decoder && "is_decoder is not an encoder's"
  ])
  const config: EncoderConfig & BertConfig = { ...c, model_type: "bert", hidden_act: c.hidden_act as Activation }
  yield* checkBert(config)
  return config
})

/** Of a table of positions, the rows from that of a text's first token on, which follows the padding id. */
const after = (padding: number, rows: number) => ({
  first_position: padding + 1,
  max_position_embeddings: rows - padding - 1
})

const RobertaKeys = Schema.Struct({ ...BertKeys.fields, pad_token_id: or(Schema.Natural, 1) })

/** RoBERTa's config is BERT's; positions are counted from its padding id on. */
const roberta = (model_type: "roberta" | "xlm-roberta" | "camembert"): Decode<EncoderConfig> =>
  Effect.fnUntraced(function*(json, path) {
    const { pad_token_id } = yield* keys(RobertaKeys)(json)
    const own = (yield* bert(json, path)) as EncoderConfig & BertConfig
    return { ...own, model_type, ...after(pad_token_id, own.max_position_embeddings) }
  })

const MpnetKeys = Schema.Struct({ ...ofBert, relative_attention_num_buckets: or(Count, 32) })

/** MPNet's padding id is 1, whatever its config says; its texts have no types. */
const mpnet: Decode<EncoderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(MpnetKeys)(json)
  yield* check(json, path, { used: Object.keys(MpnetKeys.fields) })
  const { relative_attention_num_buckets: buckets } = c
  yield* refuse([buckets !== 32 && `relative_attention_num_buckets is ${buckets}, and MPNet's distances have 32`])
  const config = {
    ...c,
    model_type: "mpnet" as const,
    hidden_act: c.hidden_act as Activation,
    type_vocab_size: 0,
    ...after(1, c.max_position_embeddings)
  }
  yield* checkBert(config)
  return config
})

const DistilbertKeys = Schema.Struct({
  vocab_size: Count,
  max_position_embeddings: Count,
  initializer_range: sizes.initializer_range,
  dim: Count,
  hidden_dim: Count,
  n_layers: Layers,
  n_heads: Count,
  dropout: or(Rate, 0.1),
  activation: or(Schema.String, "gelu")
})

/** DistilBERT has its own names of sizes, and no types. */
const distilbert: Decode<EncoderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(DistilbertKeys)(json)
  const idle = ["sinusoidal_pos_embds", "qa_dropout", "seq_classif_dropout"]
  yield* check(json, path, { used: Object.keys(DistilbertKeys.fields), idle })
  const { initializer_range, max_position_embeddings, vocab_size } = c
  const config = {
    model_type: "distilbert" as const,
    vocab_size,
    max_position_embeddings,
    initializer_range,
    hidden_size: c.dim,
    intermediate_size: c.hidden_dim,
    num_hidden_layers: c.n_layers,
    num_attention_heads: c.n_heads,
    type_vocab_size: 0,
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: c.dropout,
    hidden_act: c.activation as Activation
  }
  yield* checkBert(config)
  return config
})

const Rope = Schema.Record(Schema.String, Schema.Unknown)
const ModernBertKeys = Schema.Struct({
  ...sizes,
  norm_eps: or(Positive, 1e-5),
  norm_bias: or(Schema.Boolean, false),
  attention_bias: or(Schema.Boolean, false),
  mlp_bias: or(Schema.Boolean, false),
  hidden_activation: or(Schema.String, "gelu"),
  embedding_dropout: or(Rate, 0),
  mlp_dropout: or(Rate, 0),
  local_attention: or(Count, 128),
  global_attn_every_n_layers: or(Count, 3),
  layer_types: optional(LayerTypes),
  global_rope_theta: optional(Positive),
  local_rope_theta: optional(Positive),
  rope_scaling: optional(Rope),
  rope_parameters: optional(Rope)
})

const modernBert: Decode<EncoderConfig> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const c = yield* keys(ModernBertKeys)(json)
  const idle = ["layer_norm_eps", "position_embedding_type"]
  yield* check(json, path, { used: Object.keys(ModernBertKeys.fields), idle, refused: ["sliding_window"] })
  const { global_attn_every_n_layers: every, global_rope_theta, layer_types, local_rope_theta, ...rest } = c
  const { num_hidden_layers } = c
  const types = layer_types ?? typesOf(num_hidden_layers, (i) => i % every !== 0)
  yield* refuse([
    heads(c),
    uneven("the size of a head", c.hidden_size / c.num_attention_heads, "its halves", 2),
    oneOf("hidden_activation", c.hidden_activation, acts),
    miscounted(types, num_hidden_layers),
    ...strangers(c)
  ])
  const turns = Effect.fnUntraced(function*(type: string, given: number | undefined, theta: number) {
    const { max_position_embeddings } = c
    const headSize = c.hidden_size / c.num_attention_heads
    const turned = yield* ropeOf(placesOf(type, c, given), { max_position_embeddings, headSize, theta })
    const { partial_rotary_factor = 1, rope_type } = turned.rope
    yield* refuse([
      "attention_factor" in turned.rope && `rope_type ${rope_type} is not known of encoders`,
      partial_rotary_factor !== 1 && `partial_rotary_factor ${partial_rotary_factor} is not known of encoders`
    ])
    return turned
  })
  const whole = yield* turns("full_attention", global_rope_theta, 160_000)
  const local = yield* turns("sliding_attention", local_rope_theta, 10_000)
  yield* tell(path, [...new Set([...whole.passed, ...local.passed])])
  return {
    ...rest,
    model_type: "modernbert",
    hidden_activation: c.hidden_activation as Activation,
    layer_types: types,
    rope_parameters: { full_attention: whole.rope, sliding_attention: local.rope }
  }
})

/** Decodes the config of any supported encoder; fails with what is invalid or unsupported. */
export const decodeEncoder: Decode<EncoderConfig> = byType({
  bert,
  modernbert: modernBert,
  roberta: roberta("roberta"),
  "xlm-roberta": roberta("xlm-roberta"),
  camembert: roberta("camembert"),
  distilbert,
  mpnet,
  deberta,
  "deberta-v2": debertaV2
})
