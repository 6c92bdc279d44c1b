/** A model's config as GGUF's metadata: the inverse of `config.ts`. */
import { brief } from "../../../domain/brief.ts"
import type { RopeParameters } from "../../../kernels/nn/rope.ts"
import type { DecoderConfig } from "../config/decoder.ts"
import type { EncoderConfig } from "../config/encoder.ts"
import { Malformed } from "./malformed.ts"
import { type Architecture, architectures } from "./names.ts"
import { llama3Divisors } from "./rope.ts"
import type { Entry } from "./write.ts"

/** The metadata of a model, and tensors that it has and a state dict lacks: RoPE's divisors. */
export interface Stated {
  readonly architecture: Architecture
  readonly entries: ReadonlyArray<readonly [key: string, entry: Entry]>
  readonly tables: ReadonlyMap<string, Float32Array>
}

/** GGUF's architecture for a `model_type`; Mistral's models are Llama's there. */
export const architectureFor = (type: unknown): Architecture => {
  const model = type === "mistral" || type === undefined ? "llama" : type
  const found = Object.entries(architectures).find(([, { model_type }]) => model_type === model)
  if (found) return found[0] as Architecture
  throw new Malformed("model_type", `${brief(type)} is not written as GGUF here`)
}

type Rope = Pick<Stated, "entries" | "tables">

const none: Rope = { entries: [], tables: new Map() }

const refuse = (what: string): never => {
  throw new Malformed("rope_parameters", `${what} has no form in GGUF`)
}

const isSame = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean => a.join() === b.join()

/** Divisors for short and for long rows: two tensors for Phi-3, one for others if both are the same. */
const longrope = (architecture: Architecture, r: Extract<RopeParameters, { rope_type: "longrope" }>): Rope => {
  if (architecture === "phi3") {
    return {
      entries: [
        ["rope.scaling.original_context_length", { u32: r.original_max_position_embeddings }],
        ["rope.scaling.attn_factor", { f32: r.attention_factor }]
      ],
      tables: new Map([
        ["rope_factors_long.weight", Float32Array.from(r.long_factor)],
        ["rope_factors_short.weight", Float32Array.from(r.short_factor)]
      ])
    }
  }
  return isSame(r.short_factor, r.long_factor) && r.attention_factor === 1
    ? { entries: [], tables: new Map([["rope_freqs.weight", Float32Array.from(r.short_factor)]]) }
    : refuse("longrope of another model than phi3")
}

const rotation = (architecture: Architecture, r: RopeParameters, headSize: number): Rope => {
  switch (r.rope_type) {
    case "default":
      return none
    case "linear":
      return {
        ...none,
        entries: [["rope.scaling.type", { text: "linear" }], ["rope.scaling.factor", { f32: r.factor }]]
      }
    case "yarn": {
      if (!r.truncate) return refuse("yarn without truncate")
      const scale = r.attention_factor / (0.1 * Math.log(r.factor) + 1)
      return {
        ...none,
        entries: [
          ["rope.scaling.type", { text: "yarn" }],
          ["rope.scaling.factor", { f32: r.factor }],
          ["rope.scaling.original_context_length", { u32: r.original_max_position_embeddings }],
          ["rope.scaling.yarn_beta_fast", { f32: r.beta_fast }],
          ["rope.scaling.yarn_beta_slow", { f32: r.beta_slow }],
          ...(Math.abs(scale - 1) < 1e-6 ? [] : [["rope.scaling.attn_factor", { f32: scale }]] as const)
        ]
      }
    }
    case "llama3":
      return {
        ...none,
        tables: new Map([[
          "rope_freqs.weight",
          Float32Array.from(llama3Divisors(r, { headSize, theta: r.rope_theta }))
        ]])
      }
    case "longrope":
      return longrope(architecture, r)
    default:
      return refuse(`rope_type ${r.rope_type}`)
  }
}

/** Windows: of Phi-3's layers all, of Gemma 3's all but every sixth; llama.cpp has none for the others. */
const windows = (architecture: Architecture, c: DecoderConfig): Stated["entries"] => {
  const { layer_types: types = [], max_position_embeddings: most, sliding_window: window = 0 } = c
  if (!types.includes("sliding_attention")) return architecture === "gemma3" ? refuse("gemma3 without a window") : []
  if (architecture === "phi3") return [["attention.sliding_window", { u32: window }]]
  if (architecture !== "gemma3") {
    if (window >= most) return []
    throw new Malformed("sliding_window", `${window} of ${most} positions has no form in GGUF for ${architecture}`)
  }
  const every = types.indexOf("full_attention") + 1
  const isEvery = every > 0 && types.every((type, i) => (type === "full_attention") === ((i + 1) % every === 0))
  if (!isEvery && every > 0) throw new Malformed("layer_types", "follow no period, which is what GGUF states")
  return [
    ["attention.sliding_window", { u32: window }],
    ["attention.sliding_window_pattern", { u32: every === 0 ? types.length + 1 : every }]
  ]
}

const sizes = (c: DecoderConfig | EncoderConfig): Stated["entries"] => [
  ["vocab_size", { u32: c.vocab_size }],
  ["context_length", { u32: c.max_position_embeddings }],
  ["embedding_length", { u32: c.hidden_size }],
  ["block_count", { u32: c.num_hidden_layers }],
  ["feed_forward_length", { u32: c.intermediate_size }],
  ["attention.head_count", { u32: c.num_attention_heads }]
]

/** What GGUF takes for granted of an architecture, and a config may state otherwise. */
const check = (architecture: Architecture, c: DecoderConfig, headSize: number): void => {
  const usual = architecture.startsWith("gemma") ? "gelu_pytorch_tanh" : "silu"
  if (c.hidden_act !== usual) {
    throw new Malformed("hidden_act", `${c.hidden_act} has no form in GGUF for ${architecture}`)
  }
  const scalar = c.num_hidden_layers === 62 ? c.hidden_size / c.num_attention_heads : headSize
  if (architecture === "gemma3" && c.query_pre_attn_scalar !== scalar) {
    throw new Malformed("query_pre_attn_scalar", `${c.query_pre_attn_scalar} is not ${scalar}, as GGUF has it`)
  }
  if (c.local_rope_parameters && c.local_rope_parameters.rope_type !== "default") refuse("scaling of local layers")
}

/**
 * The metadata of a decoder, keys without the architecture.
 *
 * @throws Malformed if GGUF has no form for something that the config states.
 */
export const ofDecoder = (type: unknown, c: DecoderConfig): Stated => {
  const architecture = architectureFor(type)
  const headSize = c.head_dim ?? c.hidden_size / c.num_attention_heads
  check(architecture, c, headSize)
  const { local_rope_parameters: local, rope_parameters: rope } = c
  const turning = Math.round(headSize * (rope.partial_rotary_factor ?? 1))
  const { entries, tables } = rotation(architecture, rope, turning)
  return {
    architecture,
    tables,
    entries: [
      ...sizes(c),
      ["attention.head_count_kv", { u32: c.num_key_value_heads }],
      ["attention.key_length", { u32: headSize }],
      ["attention.value_length", { u32: headSize }],
      ["attention.layer_norm_rms_epsilon", { f32: c.rms_norm_eps }],
      ["rope.dimension_count", { u32: turning }],
      ["rope.freq_base", { f32: rope.rope_theta }],
      ...(local && local.rope_theta !== 10_000 ? [["rope.freq_base_swa", { f32: local.rope_theta }]] as const : []),
      ...entries,
      ...windows(architecture, c)
    ]
  }
}

/**
 * The metadata of an encoder, keys without the architecture.
 *
 * @throws Malformed if it is not BERT, or has a ColBERT head, for which GGUF has no place.
 */
export const ofEncoder = (c: EncoderConfig, hasHead: boolean): Stated => {
  if (c.model_type !== "bert") throw new Malformed("model_type", `${brief(c.model_type)} is not written as GGUF here`)
  if (hasHead) throw new Malformed("dim", "GGUF has no place for ColBERT's head; only encoders without one are written")
  if (c.hidden_act !== "gelu") throw new Malformed("hidden_act", `${c.hidden_act} has no form in GGUF for bert`)
  return {
    architecture: "bert",
    tables: new Map(),
    entries: [
      ...sizes(c),
      ["attention.layer_norm_epsilon", { f32: c.layer_norm_eps }],
      ["attention.causal", { flag: false }],
      ["pooling_type", { u32: 1 }]
    ]
  }
}
