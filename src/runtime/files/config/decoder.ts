/** `config.json` of decoders, in the Hugging Face format, decoded to one common config. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { brief } from "../../../domain/brief.ts"
import { modelFiles } from "../../../domain/fileNames.ts"
import type { DecoderConfig as Decoder } from "../../../kernels/nn/decoder.ts"
import type { Reach } from "../../../kernels/nn/embedder.ts"
import { type Activation, activations } from "../../../kernels/nn/layers.ts"
import type { RopeParameters } from "../../../kernels/nn/rope.ts"
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
  names,
  oneOf,
  or,
  Positive,
  Rate,
  refuse,
  tell,
  typesOf,
  uneven
} from "./keys.ts"
import { places, placesOf, ropeKeys, ropeOf, strangers } from "./rope.ts"

const optional = Schema.optionalKey
const TokenId = Schema.Natural
/** Keys that mean the same in every family. */
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
  rope_local_base_freq: optional(Positive),
  query_pre_attn_scalar: or(Positive, 256),
  attn_logit_softcapping: optional(Positive),
  final_logit_softcapping: optional(Positive),
  is_causal: or(Schema.Boolean, true),
  use_bidirectional_attention: optional(Schema.Boolean),
  bos_token_id: optional(TokenId),
  eos_token_id: optional(Schema.Union([TokenId, Schema.Array(TokenId)])),
  pad_token_id: optional(Schema.Int)
})
type Keys = typeof Keys.Type

/** Token ids that the config defines but the model does not use. */
export interface TokenIds {
  readonly bos_token_id?: number
  readonly eos_token_id: ReadonlyArray<number>
  /** Padding id; padding is masked in attention. */
  readonly pad_token_id: number
}
/** Config of a decoder, with its special token ids. */
export type DecoderConfig = Decoder & TokenIds & Partial<Reach>

type Traits = Partial<Decoder>

const biases = (c: Keys): Traits => ({ qkv_bias: c.attention_bias, output_bias: c.attention_bias })

/** If there is a sliding window, all layers use it. */
const windows = (c: Keys): Traits =>
  c.sliding_window === undefined
    ? {}
    : { sliding_window: c.sliding_window, layer_types: typesOf(c.num_hidden_layers, () => true) }

/** Qwen: layers from `max_window_layers` on use a sliding window, if enabled. */
const laterWindows = ({ max_window_layers: first = 28, ...c }: Keys): Traits =>
  c.sliding_window === undefined || !c.use_sliding_window
    ? {}
    : { sliding_window: c.sliding_window, layer_types: typesOf(c.num_hidden_layers, (i) => i >= first) }

/** Gemma 3: all layers but every sixth use a sliding window, with their own RoPE. */
const gemma3 = (c: Keys): Traits => ({
  gemma: true,
  head_dim: 256,
  hidden_act: (c.hidden_activation ?? "gelu_pytorch_tanh") as Activation,
  qk_norm: true,
  post_norms: true,
  query_pre_attn_scalar: c.query_pre_attn_scalar,
  ...biases(c),
  ...(c.sliding_window === undefined ? {} : { sliding_window: c.sliding_window }),
  layer_types: c.layer_types ?? typesOf(c.num_hidden_layers, (i) => (i + 1) % c.sliding_window_pattern !== 0)
})

const gelu = "gelu_pytorch_tanh"

/** Gemma's published configs say "gelu" but mean the tanh approximation. */
const gemma = (c: Keys): Traits => {
  const told = c.hidden_activation ?? c.hidden_act ?? gelu
  return { ...biases(c), gemma: true, head_dim: 256, hidden_act: (told === "gelu" ? gelu : told) as Activation }
}

/** What distinguishes a family. */
interface Member {
  /** Keys that not all families have. */
  readonly keys: string
  readonly traits: (c: Keys) => Traits
  /** The default that transformers uses if a key is missing, as opposed to null. */
  readonly absent?: Json
}

const qwen = "hidden_act sliding_window use_sliding_window max_window_layers"
/** The families by `model_type`. */
const families = {
  llama: {
    keys: "hidden_act attention_bias mlp_bias",
    traits: (c) => ({ ...biases(c), mlp_bias: c.mlp_bias })
  },
  mistral: { keys: "hidden_act sliding_window", traits: windows, absent: { sliding_window: 4096 } },
  qwen2: { keys: qwen, traits: (c) => ({ ...laterWindows(c), qkv_bias: true }) },
  qwen3: {
    keys: `${qwen} attention_bias`,
    traits: (c) => ({ ...laterWindows(c), ...biases(c), qk_norm: true }),
    absent: { head_dim: 128 }
  },
  phi3: {
    keys: "hidden_act sliding_window",
    traits: (c) => ({ ...windows(c), fused: true }),
    absent: { rms_norm_eps: 1e-5 }
  },
  gemma: { keys: "hidden_act hidden_activation attention_bias", traits: gemma },
  gemma3_text: {
    keys: "hidden_activation attention_bias sliding_window sliding_window_pattern rope_local_base_freq " +
      "query_pre_attn_scalar",
    traits: gemma3,
    absent: { sliding_window: 4096 }
  }
} as const satisfies Readonly<Record<string, Member>>
type Family = keyof typeof families

const keysOf = (family: Family): ReadonlySet<string> => names(families[family].keys)
/** Keys that only some families have. */
const special = new Set((Object.keys(families) as Array<Family>).flatMap((family) => Array.from(keysOf(family))))

/** A problem if the config's layer types differ from those its other keys imply. */
const otherWindows = (c: Keys, { layer_types: own, sliding_window }: Traits): string | false =>
  c.layer_types !== undefined && (
    miscounted(c.layer_types, c.num_hidden_layers) ||
    c.layer_types.some((type, i) =>
        (type === "sliding_attention") !== (!!sliding_window && own?.[i] === "sliding_attention")
      )
      && `layer_types ${brief(c.layer_types)} are not those that have a window by the other keys`
  )

/**
 * Attention in both directions, as transformers has it: with `is_causal: false` windows reach to either side in full, with
 * Gemma 3's own key by half.
 */
const reachOf = (c: Keys): Partial<Reach> => {
  if (c.use_bidirectional_attention === true) {
    return { bidirectional: true, ...(c.sliding_window === undefined ? {} : { window_reach: c.sliding_window >> 1 }) }
  }
  return c.is_causal ? {} : { bidirectional: true }
}

/** RoPE parameters; Gemma 3 has separate ones for sliding-window layers. */
const rotations = Effect.fnUntraced(function*(family: Family, c: Keys, headSize: number) {
  const context = { max_position_embeddings: c.max_position_embeddings, headSize, theta: 10_000 }
  if (family !== "gemma3_text") {
    /** Phi-3's first long-context models use this name. */
    const called = family === "phi3" ? { yarn: "longrope" } : {}
    const { passed, rope } = yield* ropeOf(places(c), { ...context, called })
    /** Phi-3's configs contain this key for every RoPE type. */
    const idle = family === "phi3" ? "original_max_position_embeddings" : ""
    return { turned: { rope_parameters: rope }, passed: passed.filter((key) => key !== idle) }
  }
  yield* refuse(strangers(c))
  const whole = yield* ropeOf(placesOf("full_attention", c, c.rope_theta), { ...context, theta: 1e6 })
  const own = { ...c, rope_scaling: {} }
  const local = yield* ropeOf(placesOf("sliding_attention", own, c.rope_local_base_freq), context)
  const turned = { rope_parameters: whole.rope, local_rope_parameters: local.rope }
  return { turned, passed: [...whole.passed, ...local.passed] }
})

/** Problems with `partial_rotary_factor`, which transformers applies to Phi-3 only. */
const partly = (family: Family, all: ReadonlyArray<RopeParameters>): ReadonlyArray<string | false> =>
  all.map(({ partial_rotary_factor: share = 1 }) =>
    (family === "phi3" ? share > 1 : share !== 1) &&
    `partial_rotary_factor ${share} is ${family === "phi3" ? "more than 1" : "known of phi3 alone"}`
  )

/** Keys for which null differs from leaving them out. */
const nullable: ReadonlySet<string> = names("sliding_window head_dim")

const decodeAs = (family: Family): Decode<DecoderConfig> =>
  Effect.fnUntraced(function*(json, path = modelFiles.config) {
    const { absent, traits: traitsOf }: Member = families[family]
    const own = keysOf(family)
    const given = Object.entries(isObject(json) ? json : {})
    const others = given.filter(([key]) => special.has(key) && !own.has(key))
    const left = Object.fromEntries(
      given.filter(([key, value]) => (!special.has(key) || own.has(key)) && (value !== null || nullable.has(key)))
    )
    const c = yield* keys(Keys)({ ...absent, ...left })
    const used = Object.keys(Keys.fields).filter((key) => !special.has(key) || own.has(key))
    yield* check(json, path, { used, idle: others.filter(([, value]) => value === false).map(([key]) => key) })
    const traits = traitsOf(c)
    const act = traits.hidden_act ?? c.hidden_act ?? "silu"
    const { num_attention_heads: heads, num_key_value_heads: groups = heads } = c
    const head_dim = c.head_dim ?? traits.head_dim ?? c.hidden_size / heads
    yield* refuse([
      c.head_dim === undefined && !traits.head_dim &&
      uneven("hidden_size", c.hidden_size, "num_attention_heads", heads),
      uneven("num_attention_heads", heads, "num_key_value_heads", groups),
      uneven("the size of a head", head_dim, "its halves", 2),
      oneOf("hidden_act", act, Object.keys(activations)),
      c.use_bidirectional_attention === true && family !== "gemma3_text"
      && "use_bidirectional_attention is known of gemma3_text alone; write is_causal: false",
      (c.attn_logit_softcapping ?? c.final_logit_softcapping) !== undefined &&
      "softcapping of logits is not known here",
      traits.layer_types?.includes("sliding_attention") === true && traits.sliding_window === undefined &&
      "sliding_window is null, although layers have a window",
      otherWindows(c, traits)
    ])
    const { passed, turned } = yield* rotations(family, c, head_dim)
    yield* refuse(partly(family, Object.values(turned)))
    yield* tell(path, passed)
    return {
      ...(yield* keys(Sizes)({ ...absent, ...left })),
      ...traits,
      ...reachOf(c),
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

/** A decoder's config with attention in both directions, or in one. */
export const attendingAs = (config: Json, bidirectional: boolean): Json => {
  const others = Object.entries(config).filter(([key]) => key !== "use_bidirectional_attention")
  return Object.fromEntries([...others, ["is_causal", !bidirectional]])
}

/** Whether a config is that of a decoder, by its `model_type`, or else by the name of its architecture. */
export const isDecoder = (json: unknown): boolean => {
  const { architectures, model_type: type } = isObject(json) ? json : {}
  if (typeof type === "string") return Object.hasOwn(families, type)
  return Array.isArray(architectures) && String(architectures[0]).toLowerCase().startsWith("llama")
}

/** How each family's config is decoded, by `model_type`. */
export const decoders = Object.fromEntries(
  (Object.keys(families) as Array<Family>).map((family) => [family, decodeAs(family)])
) as Readonly<Record<Family, Decode<DecoderConfig>>>

/** Decodes the config of any supported decoder; fails with what is invalid or unsupported. */
export const decodeDecoder: Decode<DecoderConfig> = byType(decoders)
