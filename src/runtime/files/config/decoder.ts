/** `config.json` of decoders, in Hugging Face's spelling, as the one config of their family. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { DecoderConfig as Decoder } from "../../../kernels/nn/decoder.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import { check } from "./foreignKeys.ts"
import {
  byType,
  Count,
  type Decode,
  isObject,
  type Json,
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
import { passed, ropeKeys, ropeOf } from "./rope.ts"

const optional = Schema.optionalKey
const TokenId = Schema.Natural
/** Keys that mean the same for every member of the family. */
const sizes = {
  vocab_size: Count,
  hidden_size: Count,
  intermediate_size: Count,
  num_hidden_layers: Layers,
  num_attention_heads: Count,
  max_position_embeddings: Count,
  rms_norm_eps: or(Positive, 1e-6),
  hidden_dropout_prob: or(Rate, 0),
  initializer_range: or(Positive, 0.02)
}
const Sizes = Schema.Struct(sizes)
const Keys = Schema.Struct({
  ...sizes,
  ...ropeKeys,
  num_key_value_heads: optional(Count),
  head_dim: optional(Count),
  tie_word_embeddings: optional(Schema.Boolean),
  hidden_act: optional(Schema.String),
  hidden_activation: optional(Schema.String),
  attention_bias: or(Schema.Boolean, false),
  mlp_bias: or(Schema.Boolean, false),
  sliding_window: optional(Count),
  use_sliding_window: optional(Schema.Boolean),
  max_window_layers: optional(Schema.Natural),
  layer_types: optional(LayerTypes),
  sliding_window_pattern: or(Count, 6),
  rope_local_base_freq: or(Positive, 10_000),
  query_pre_attn_scalar: or(Positive, 256),
  attn_logit_softcapping: optional(Positive),
  final_logit_softcapping: optional(Positive),
  use_bidirectional_attention: optional(Schema.Boolean),
  bos_token_id: optional(TokenId),
  eos_token_id: optional(Schema.Union([TokenId, Schema.Array(TokenId)])),
  pad_token_id: optional(Schema.Int)
})
type Keys = typeof Keys.Type

/** Ids that the config, but not the model, knows of. */
export interface TokenIds {
  readonly bos_token_id?: number
  readonly eos_token_id: ReadonlyArray<number>
  /** Of what fills up the rows of a batch; nothing attends to it. */
  readonly pad_token_id: number
}
export type DecoderConfig = Decoder & TokenIds

type Traits = Partial<Decoder>

const biases = (c: Keys): Traits => ({ qkv_bias: c.attention_bias, output_bias: c.attention_bias })

/** All layers attend to the window, if there is one. */
const windows = (c: Keys): Traits =>
  c.sliding_window === undefined
    ? {}
    : { sliding_window: c.sliding_window, layer_types: typesOf(c.num_hidden_layers, () => true) }

/** Layers of Qwen attend to a window from `max_window_layers` on, if at all. */
const laterWindows = ({ max_window_layers: first = 28, ...c }: Keys): Traits =>
  c.sliding_window === undefined || !c.use_sliding_window
    ? {}
    : { sliding_window: c.sliding_window, layer_types: typesOf(c.num_hidden_layers, (i) => i >= first) }

/** Of Gemma 3 all layers but every sixth have a window, and a rotation of their own. */
const gemma3 = (c: Keys): Traits => ({
  gemma: true,
  head_dim: 256,
  hidden_act: (c.hidden_activation ?? "gelu_pytorch_tanh") as Activation,
  qk_norm: true,
  post_norms: true,
  query_pre_attn_scalar: c.query_pre_attn_scalar,
  ...biases(c),
  sliding_window: c.sliding_window ?? 4096,
  layer_types: c.layer_types ?? typesOf(c.num_hidden_layers, (i) => (i + 1) % c.sliding_window_pattern !== 0)
})

const gelu = "gelu_pytorch_tanh"

/** Gemma's published configs say "gelu" and mean the approximation. */
const gemma = (c: Keys): Traits => {
  const told = c.hidden_activation ?? c.hidden_act ?? gelu
  return { ...biases(c), gemma: true, head_dim: 256, hidden_act: (told === "gelu" ? gelu : told) as Activation }
}

/** What distinguishes the members of the family, by `model_type`. */
const families = {
  llama: (c: Keys): Traits => ({ ...biases(c), mlp_bias: c.mlp_bias }),
  mistral: windows,
  qwen2: (c: Keys): Traits => ({ ...laterWindows(c), qkv_bias: true }),
  qwen3: (c: Keys): Traits => ({ ...laterWindows(c), ...biases(c), qk_norm: true }),
  phi3: (c: Keys): Traits => ({ ...windows(c), fused: true }),
  gemma,
  gemma3_text: gemma3
}
type Family = keyof typeof families

/** What transformers takes where a key is not there, which is not the same as null. */
const absent: Partial<Record<Family, Json>> = {
  mistral: { sliding_window: 4096 },
  qwen3: { head_dim: 128 },
  phi3: { rms_norm_eps: 1e-5 }
}

/** Which layers the config says have windows, against which the family has. */
const otherWindows = ({ layer_types: told }: Keys, { layer_types: own, sliding_window }: Traits): string | false =>
  told !== undefined
  && told.some((type, i) => (type === "sliding_attention") !== (!!sliding_window && own?.[i] === "sliding_attention"))
  && `layer_types [${told.join()}] are not full_attention up to max_window_layers and sliding_attention after`

/** The rotations: of layers with a window another, where the family has two. */
const rotations = Effect.fnUntraced(function*(family: Family, c: Keys, head: number) {
  /** Phi-3's first long models call it so. */
  const called = family === "phi3" ? { yarn: "longrope" } : {}
  if (family !== "gemma3_text") return { rope_parameters: yield* ropeOf(c, head, called) }
  const { max_position_embeddings, rope_parameters, rope_scaling, rope_theta = 1e6 } = c
  const { full_attention: whole, sliding_attention: local } = (rope_parameters ?? {}) as Record<string, object>
  const of = (own: Record<string, unknown>) => ropeOf({ max_position_embeddings, rope_parameters: own }, head)
  return {
    rope_parameters: yield* of({ rope_theta, ...rope_scaling, ...whole }),
    local_rope_parameters: yield* of({ rope_theta: c.rope_local_base_freq, ...local })
  }
})

const decodeAs = (family: Family): Decode<DecoderConfig> =>
  Effect.fnUntraced(function*(given, path = "config.json") {
    const json = { ...absent[family], ...(isObject(given) ? given : {}) }
    const c = yield* keys(Keys)(json)
    yield* check(given, path, { used: Object.keys(Keys.fields) })
    yield* tell(path, passed(c))
    const traits = families[family](c)
    const act = traits.hidden_act ?? c.hidden_act ?? "silu"
    const { num_attention_heads: heads, num_key_value_heads: groups = heads } = c
    const head_dim = c.head_dim ?? traits.head_dim ?? c.hidden_size / heads
    yield* refuse([
      c.head_dim === undefined && !traits.head_dim &&
      uneven("hidden_size", c.hidden_size, "num_attention_heads", heads),
      uneven("num_attention_heads", heads, "num_key_value_heads", groups),
      uneven("the size of a head", head_dim, "its halves", 2),
      oneOf("hidden_act", act, Object.keys(activations)),
      c.use_bidirectional_attention === true && "use_bidirectional_attention is not a decoder's",
      (c.attn_logit_softcapping ?? c.final_logit_softcapping) !== undefined &&
      "softcapping of logits is not known here",
      traits.layer_types !== undefined && miscounted(traits.layer_types, c.num_hidden_layers),
      otherWindows(c, traits)
    ])
    const turned = yield* rotations(family, c, head_dim)
    /** transformers turns whole heads of all others. */
    const partly = Object.values(turned).find(({ partial_rotary_factor: share }) => family !== "phi3" && share !== 1)
    yield* refuse([
      partly !== undefined && `partial_rotary_factor ${partly.partial_rotary_factor} is known of phi3 alone`
    ])
    return {
      ...(yield* keys(Sizes)(json)),
      ...traits,
      hidden_act: act as Activation,
      head_dim,
      num_key_value_heads: groups,
      ...turned,
      tie_word_embeddings: c.tie_word_embeddings ?? family.startsWith("gemma"),
      eos_token_id: [c.eos_token_id ?? []].flat(),
      ...(c.bos_token_id === undefined ? {} : { bos_token_id: c.bos_token_id }),
      pad_token_id: Math.max(0, c.pad_token_id ?? 0)
    }
  })

export const decodeDecoder: Decode<DecoderConfig> = byType(
  Object.fromEntries(
    (Object.keys(families) as Array<Family>).map((family) => [family, decodeAs(family)])
  )
)
