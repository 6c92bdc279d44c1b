/** Rotary position embedding (RoPE): its angles, and how models scale them to longer contexts. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { add, exp, float, log, mul, scale } from "../op/elementwise.ts"
import { less, max, reduceMax, where } from "../op/select.ts"
import { constant, scalar, type Tensor } from "../Tensor.ts"

/** `rope_parameters` of `config.json`, of the supported types. */
export type RopeParameters = {
  readonly rope_theta: number
  /** Fraction of a head's dimension pairs that are rotated; by default all. */
  readonly partial_rotary_factor?: number
} & Stretch

/** `dynamic` and `longrope` depend on the length of each row: its greatest position + 1. */
export type Stretch =
  | { readonly rope_type: "default" }
  /** Positions divided by the factor (position interpolation, Chen et al. 2023). */
  | { readonly rope_type: "linear"; readonly factor: number }
  /** NTK: theta grows with rows longer than `max_position_embeddings`. */
  | { readonly rope_type: "dynamic"; readonly factor: number }
  /** Llama 3: low frequencies divided by `factor`, high ones left alone, those between interpolated. */
  | {
    readonly rope_type: "llama3"
    readonly factor: number
    readonly low_freq_factor: number
    readonly high_freq_factor: number
    readonly original_max_position_embeddings: number
  }
  /** LongRoPE: one divisor per dimension pair; `long_factor` for rows longer than the original length. */
  | {
    readonly rope_type: "longrope"
    readonly short_factor: ReadonlyArray<number>
    readonly long_factor: ReadonlyArray<number>
    readonly original_max_position_embeddings: number
    /** Scale of the rotated vectors. */
    readonly attention_factor: number
  }
  /** YaRN (Peng et al. 2023): low-frequency dimension pairs interpolated by `factor`, high-frequency ones unchanged. */
  | {
    readonly rope_type: "yarn"
    readonly factor: number
    /** Full turns within the original length: a pair is left alone from `beta_fast`, interpolated up to `beta_slow`. */
    readonly beta_fast: number
    readonly beta_slow: number
    readonly original_max_position_embeddings: number
    /** Scale of the rotated vectors. */
    readonly attention_factor: number
    /** Whether the two ends of the ramp between them are rounded outwards to whole pairs. */
    readonly truncate: boolean
  }

type Llama3 = Extract<RopeParameters, { rope_type: "llama3" }>
type Yarn = Extract<RopeParameters, { rope_type: "yarn" }>

const llama3 = (frequency: number, r: Llama3): number => {
  const turns = r.original_max_position_embeddings * frequency / (2 * Math.PI)
  if (turns < r.low_freq_factor) return frequency / r.factor
  if (turns > r.high_freq_factor) return frequency
  const kept = (turns - r.low_freq_factor) / (r.high_freq_factor - r.low_freq_factor)
  return (1 - kept) * frequency / r.factor + kept * frequency
}

/** YaRN's frequencies: between the ends of the ramp, interpolated linearly. */
const yarn = (plain: ReadonlyArray<number>, r: Yarn): ReadonlyArray<number> => {
  const planes = plain.length
  const planeOf = (turns: number) =>
    planes * Math.log(r.original_max_position_embeddings / (2 * Math.PI * turns)) / Math.log(r.rope_theta)
  const [first, last] = [planeOf(r.beta_fast), planeOf(r.beta_slow)]
  const [start, end] = r.truncate ? [Math.floor(first), Math.ceil(last)] : [first, last]
  const [low, high] = [Math.max(0, start), Math.min(2 * planes - 1, end)]
  return plain.map((f, i) => {
    const share = Math.min(1, Math.max(0, (i - low) / (high === low ? 0.001 : high - low)))
    return share * f / r.factor + (1 - share) * f
  })
}

/** One value per dimension pair, to be broadcast over [b, n, pairs]. */
const perPlane = (values: ReadonlyArray<number>): Tensor => constant(Nd.fromArray([1, 1, values.length], values))

/** Greatest position + 1 of each row: [b, n] -> [b, 1, 1]. */
const lengths = (positions: Tensor): Tensor => {
  const greatest = reduceMax(positions, 1)
  return reshape(add(greatest, scalar(1)), [-1, 1, 1])
}

/** Radians per position of each dimension pair: [1 or b, 1, pairs], for float32 positions [b, n]. */
const frequencies = (rope: RopeParameters, planes: number, positions: Tensor, most: number): Tensor => {
  const plain = Array.from({ length: planes }, (_, i) => rope.rope_theta ** (-i / planes))
  switch (rope.rope_type) {
    case "default":
      return perPlane(plain)
    case "linear":
      return perPlane(plain.map((f) => f / rope.factor))
    case "llama3":
      return perPlane(plain.map((f) => llama3(f, rope)))
    case "yarn":
      return perPlane(yarn(plain, rope))
    case "dynamic": {
      const length = max(lengths(positions), scalar(most))
      const growth = log(add(scale(length, rope.factor / most), scalar(1 - rope.factor)))
      return mul(perPlane(plain), exp(mul(growth, perPlane(plain.map((_, i) => -i / (planes - 1))))))
    }
    case "longrope": {
      const [short, long] = [rope.short_factor, rope.long_factor].map((by) => perPlane(plain.map((f, i) => f / by[i]!)))
      return where(less(scalar(rope.original_max_position_embeddings), lengths(positions)), long!, short!)
    }
  }
}

/** Rotary dimension pairs of a head. */
export const turningPlanes = (rope: RopeParameters, headSize: number): number =>
  Math.floor(headSize * (rope.partial_rotary_factor ?? 1) / 2)

/** Rotary angles in radians at int32 positions [b, n]: [b, n, pairs]; `most` is `max_position_embeddings`. */
export const ropeAngles = (rope: RopeParameters, headSize: number, most: number, positions: Tensor): Tensor => {
  const at = float(positions)
  const column = reshape(at, [...positions.type.shape, 1])
  return mul(column, frequencies(rope, turningPlanes(rope, headSize), at, most))
}

/** Positions that a model takes with its RoPE scaling; `most` is `max_position_embeddings`. */
export const reach = (rope: RopeParameters, most: number): number => {
  switch (rope.rope_type) {
    case "linear":
    case "dynamic":
      return Math.floor(rope.factor * most)
    case "yarn":
      return Math.max(most, Math.floor(rope.factor * rope.original_max_position_embeddings))
    default:
      return most
  }
}
