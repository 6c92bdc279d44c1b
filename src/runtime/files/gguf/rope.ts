/** RoPE scaling: how GGUF states it, as `rope_parameters` of `config.json`. */
import { Malformed } from "./malformed.ts"
import type { Section } from "./section.ts"

type Json = Readonly<Record<string, unknown>>

/** RoPE's divisors by dimension pair, by the names of their tensors. */
export type Tables = ReadonlyMap<string, Float32Array>

/** What else of the model RoPE depends on. */
export interface Context {
  readonly positions: number
  readonly headSize: number
  readonly theta: number
}

/** Parameters of Llama 3's scaling. */
export interface Llama3 {
  readonly factor: number
  readonly low_freq_factor: number
  readonly high_freq_factor: number
  readonly original_max_position_embeddings: number
}

/** Llama 3's divisors by dimension pair: 1 for short wavelengths, `factor` for long ones, between them interpolated. */
export const llama3Divisors = (
  { factor, high_freq_factor: high, low_freq_factor: low, original_max_position_embeddings: original }: Llama3,
  { headSize, theta }: Pick<Context, "headSize" | "theta">
): ReadonlyArray<number> =>
  Array.from({ length: headSize / 2 }, (_, i) => {
    const turns = original * theta ** (-2 * i / headSize) / (2 * Math.PI)
    if (turns > high) return 1
    if (turns < low) return factor
    const kept = (turns - low) / (high - low)
    return 1 / ((1 - kept) / factor + kept)
  })

/** Parameters of published models. */
const published = [8192, 4096].map((original_max_position_embeddings) => ({
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings
}))

/**
 * Divisors as parameters: Llama 3's if these give the divisors to six digits, else LongRoPE's with the same divisors at
 * every length, which is the same rotation.
 */
const ofDivisors = (divisors: Float32Array, context: Context): Json => {
  const { headSize, positions } = context
  if (divisors.length !== headSize / 2) {
    throw new Malformed("tensor rope_freqs.weight", `has ${divisors.length} values for ${headSize / 2} dimension pairs`)
  }
  const factor = Math.max(...divisors)
  for (const most of published) {
    const own = llama3Divisors({ factor, ...most }, context)
    if (own.every((value, i) => Math.abs(value / divisors[i]! - 1) < 1e-6)) {
      return { rope_type: "llama3", factor, ...most }
    }
  }
  const factors = [...divisors]
  return {
    rope_type: "longrope",
    short_factor: factors,
    long_factor: factors,
    attention_factor: 1,
    original_max_position_embeddings: positions
  }
}

/** YaRN. GGUF's `attn_factor` multiplies the default scale of the rotated vectors, 0.1 ln(factor) + 1. */
const yarn = (own: Section, factor: number, positions: number): Json => {
  const scale = own.number("rope.scaling.attn_factor", 1)
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: own.count("rope.scaling.original_context_length", positions),
    beta_fast: own.number("rope.scaling.yarn_beta_fast", 32),
    beta_slow: own.number("rope.scaling.yarn_beta_slow", 1),
    ...(scale === 1 ? {} : { attention_factor: scale * (0.1 * Math.log(factor) + 1) })
  }
}

/** Phi-3's LongRoPE: its divisors for short and for long rows. */
const longrope = (own: Section, tables: Tables, positions: number): Json => {
  const [short, long] = ["short", "long"].map((name) => {
    const found = tables.get(`rope_factors_${name}.weight`)
    if (found) return Array.from(found)
    throw new Malformed(`tensor rope_factors_${name}.weight`, "is not there, although the other is")
  })
  const original = own.count("rope.scaling.original_context_length", positions)
  const stretch = positions / original
  const usual = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original))
  return {
    rope_type: "longrope",
    short_factor: short,
    long_factor: long,
    attention_factor: own.number("rope.scaling.attn_factor", usual),
    original_max_position_embeddings: original
  }
}

/** The scaling of a model, without theta; `rope_type` "default" for none. */
export const scalingOf = (own: Section, tables: Tables, context: Context): Json => {
  const factor = own.number("rope.scaling.factor", own.number("rope.scale_linear", 1)) || 1
  const type = own.text("rope.scaling.type", factor === 1 ? "none" : "linear")
  const [divisors, isLong] = [tables.get("rope_freqs.weight"), tables.size > (tables.has("rope_freqs.weight") ? 1 : 0)]
  if ((divisors || isLong) && factor !== 1) {
    throw new Malformed(own.at("rope.scaling.factor"), `${factor} beside a tensor of divisors is not known here`)
  }
  if (divisors) return ofDivisors(divisors, context)
  if (isLong) return longrope(own, tables, context.positions)
  if (type === "yarn") return yarn(own, factor, context.positions)
  if (type === "linear" && factor !== 1) return { rope_type: "linear", factor }
  if (["none", "linear"].includes(type)) return { rope_type: "default" }
  throw new Malformed(own.at("rope.scaling.type"), `"${type}" is not known here`)
}
