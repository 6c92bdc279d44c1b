/** `config.json` of DeBERTa, version 1 and versions 2 and 3. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { DebertaConfig, PositionTerm } from "../../../kernels/nn/deberta.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import { check } from "./foreignKeys.ts"
import { Count, type Decode, keys, Layers, oneOf, or, Positive, Rate, refuse, uneven } from "./keys.ts"

const Keys = Schema.Struct({
  vocab_size: Count,
  hidden_size: Count,
  intermediate_size: Count,
  num_hidden_layers: Layers,
  num_attention_heads: Count,
  max_position_embeddings: or(Count, 512),
  initializer_range: or(Positive, 0.02),
  layer_norm_eps: or(Positive, 1e-7),
  hidden_dropout_prob: or(Rate, 0.1),
  hidden_act: or(Schema.String, "gelu"),
  relative_attention: or(Schema.Boolean, false),
  max_relative_positions: or(Schema.Int, -1),
  position_biased_input: or(Schema.Boolean, true),
  pos_att_type: or(Schema.Union([Schema.String, Schema.Array(Schema.String)]), []),
  type_vocab_size: or(Schema.Natural, 0),
  embedding_size: Schema.optionalKey(Count),
  /** Output dimension of the ColBERT head; 0 for the hidden states themselves. */
  dim: Schema.optionalKey(Schema.Natural)
})

const OnesKeys = Schema.Struct({ ...Keys.fields, talking_head: or(Schema.Boolean, false) })

const LatersKeys = Schema.Struct({
  ...Keys.fields,
  attention_head_size: Schema.optionalKey(Count),
  position_buckets: or(Schema.Int, -1),
  share_att_key: or(Schema.Boolean, false),
  norm_rel_ebd: or(Schema.String, "none"),
  conv_kernel_size: or(Schema.Natural, 0),
  conv_groups: or(Count, 1),
  conv_act: or(Schema.String, "tanh")
})

/** Keys of heads for other tasks, and of the decoder of masked tokens. */
const idle = [
  "pooler_dropout",
  "pooler_hidden_act",
  "pooler_hidden_size",
  "legacy",
  "padding_idx",
  "vocab_type",
  "z_steps"
]
const acts = Object.keys(activations)

/** Names of terms, "c2p|p2c" or a list of them. */
const listOf = (terms: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  (typeof terms === "string" ? terms.split("|") : terms).map((term) => term.trim().toLowerCase()).filter(Boolean)

/** What both kinds have in common, checked. */
const common = Effect.fnUntraced(function*(c: typeof Keys.Type) {
  const {
    embedding_size = c.hidden_size,
    hidden_act,
    max_relative_positions: given,
    pos_att_type,
    position_biased_input,
    relative_attention,
    type_vocab_size,
    ...rest
  } = c
  const terms = listOf(pos_att_type)
  yield* refuse([
    uneven("hidden_size", c.hidden_size, "num_attention_heads", c.num_attention_heads),
    oneOf("hidden_act", hidden_act, acts),
    !relative_attention && "relative_attention is false, and DeBERTa without distances is not known here",
    position_biased_input &&
    "position_biased_input is true (or missing, which means true): absolute positions are not known here",
    type_vocab_size > 0 && `type_vocab_size is ${type_vocab_size}, and types of texts are not known here`,
    embedding_size !== c.hidden_size
    && `embedding_size ${embedding_size} is not hidden_size ${c.hidden_size}, and a projection between them is not known here`,
    ...terms.map((term) => oneOf("pos_att_type", term, ["c2p", "p2c"])),
    new Set(terms).size !== terms.length && `pos_att_type names a term twice: ${terms.join(", ")}`
  ])
  return {
    ...rest,
    hidden_act: hidden_act as Activation,
    pos_att_type: terms as ReadonlyArray<PositionTerm>,
    max_relative_positions: given < 1 ? c.max_position_embeddings : given
  }
})

/** A config of DeBERTa, with the dimension of a token vector if the file gives it. */
export type DebertaFile = DebertaConfig & { readonly dim?: number }

/** Version 1: each distance has a vector of its own. */
export const deberta: Decode<DebertaFile> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const { talking_head, ...own } = yield* keys(OnesKeys)(json)
  const passed = ["position_buckets", "share_att_key", "norm_rel_ebd", "attention_head_size"]
  yield* check(json, path, { used: Object.keys(OnesKeys.fields), idle: [...idle, ...passed] })
  yield* refuse([talking_head && "talking_head is not known here"])
  return {
    ...yield* common(own),
    model_type: "deberta",
    position_buckets: 0,
    share_att_key: false,
    norm_rel_ebd: false,
    conv_kernel_size: 0,
    conv_act: "tanh"
  }
})

/** Versions 2 and 3. */
export const debertaV2: Decode<DebertaFile> = Effect.fnUntraced(function*(json, path = modelFiles.config) {
  const { attention_head_size, conv_act, conv_groups, norm_rel_ebd, position_buckets, ...own } = yield* keys(
    LatersKeys
  )(
    json
  )
  yield* check(json, path, { used: Object.keys(LatersKeys.fields), idle })
  const { conv_kernel_size, share_att_key, ...shared } = own
  const base = yield* common(shared)
  const size = base.hidden_size / base.num_attention_heads
  const norms = listOf(norm_rel_ebd)
  const buckets = Math.max(0, position_buckets)
  yield* refuse([
    attention_head_size !== undefined && attention_head_size !== size
    && `attention_head_size ${attention_head_size} is not hidden_size / num_attention_heads (${size})`,
    buckets > 0 && (buckets < 4 || Math.floor(buckets / 2) >= base.max_relative_positions - 1)
    && `position_buckets ${buckets} for ${base.max_relative_positions} distances: give 4 or more, at most twice as many as distances`,
    conv_kernel_size > 0 && conv_kernel_size % 2 === 0 && `conv_kernel_size ${conv_kernel_size} is even`,
    conv_groups > 1 && `conv_groups ${conv_groups} are not known here`,
    oneOf("conv_act", conv_act, ["tanh", ...acts]),
    ...norms.map((norm) => oneOf("norm_rel_ebd", norm, ["none", "layer_norm"]))
  ])
  return {
    ...base,
    model_type: "deberta-v2",
    position_buckets: buckets,
    share_att_key,
    norm_rel_ebd: norms.includes("layer_norm"),
    conv_kernel_size,
    conv_act: conv_act as Activation | "tanh"
  }
})
