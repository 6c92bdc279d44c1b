/** Angles of rotary position embedding, and the ways in which models stretch them to longer texts. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { add, exp, float, log, mul, scale } from "../op/elementwise.ts"
import { less, max, reduceMax, where } from "../op/select.ts"
import { constant, scalar, type Tensor } from "../Tensor.ts"

/** `rope_parameters` of `config.json`, of those kinds that are computed here. */
export type RopeParameters = {
  readonly rope_theta: number
  /** Share of a head's planes that turn; all where it is left out. */
  readonly partial_rotary_factor?: number
} & Stretch

/** `dynamic` and `longrope` follow the length of each row: its greatest position + 1. */
export type Stretch =
  | { readonly rope_type: "default" }
  /** Positions divided by the factor (position interpolation, Chen et al. 2023). */
  | { readonly rope_type: "linear"; readonly factor: number }
  /** NTK: theta grows with rows longer than `max_position_embeddings`. */
  | { readonly rope_type: "dynamic"; readonly factor: number }
  /** Slow planes by the factor, fast ones not, those between in between. */
  | {
    readonly rope_type: "llama3"
    readonly factor: number
    readonly low_freq_factor: number
    readonly high_freq_factor: number
    readonly original_max_position_embeddings: number
  }
  /** A divisor for each plane, others for rows longer than the original length. */
  | {
    readonly rope_type: "longrope"
    readonly short_factor: ReadonlyArray<number>
    readonly long_factor: ReadonlyArray<number>
    readonly original_max_position_embeddings: number
    /** Factor of the turned vectors. */
    readonly attention_factor: number
  }
  /** Planes that turn seldom within the original length by the factor, those that turn often not (Peng et al. 2023). */
  | {
    readonly rope_type: "yarn"
    readonly factor: number
    /** Turns within the original length from which on a plane is left as it is, and up to which it is stretched whole. */
    readonly beta_fast: number
    readonly beta_slow: number
    readonly original_max_position_embeddings: number
    /** Factor of the turned vectors. */
    readonly attention_factor: number
    /** Whether the planes between are counted in whole ones. */
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

/** YaRN's frequencies: between its two ends a plane is stretched by its share of the way. */
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

/** A value a plane, to be broadcast over [b, n, planes]. */
const perPlane = (values: ReadonlyArray<number>): Tensor => constant(Nd.fromArray([1, 1, values.length], values))

/** Greatest position + 1 of each row: [b, n] -> [b, 1, 1]. */
const lengths = (positions: Tensor): Tensor => {
  const greatest = reduceMax(positions, 1)
  return reshape(add(greatest, scalar(1)), [-1, 1, 1])
}

/** Angle a position of each plane, for positions [b, n] as float32: [1 or b, 1, planes]. */
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

/** Planes of a head that turn. */
export const turningPlanes = (rope: RopeParameters, headSize: number): number =>
  Math.floor(headSize * (rope.partial_rotary_factor ?? 1) / 2)

/** The angles of tokens at int32 positions [b, n]: [b, n, planes]; `most` is `max_position_embeddings`. */
export const ropeAngles = (rope: RopeParameters, headSize: number, most: number, positions: Tensor): Tensor => {
  const at = float(positions)
  const column = reshape(at, [...positions.type.shape, 1])
  return mul(column, frequencies(rope, turningPlanes(rope, headSize), at, most))
}

/** Positions that a model of `max_position_embeddings` takes when it stretches them. */
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
