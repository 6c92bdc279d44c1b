/** Sparsification of task vectors, in place: which elements are kept, and the rescaling of what is left. */
import { type Dtype, numberOf, type Parameters, rounded, settle, type Uniform } from "./group.ts"

/** A task vector, and how it is sparsified. */
export interface Delta {
  readonly values: Float32Array
  readonly shape: ReadonlyArray<number>
  readonly dtype: Dtype
  /** Whether the L1 norm of the whole is restored. */
  readonly rescale: boolean
  readonly parameters: Parameters
  readonly uniform: Uniform
}

/** Below this, an L1 norm counts as zero and nothing is rescaled. */
const TINY = 1e-7

/** Sets elements that are not kept to zero; multiplies the others by the ratio of the L1 norms before and after. */
const keep = (values: Float32Array, kept: Uint8Array, rescale: boolean, dtype: Dtype): void => {
  const round = rounded(dtype)
  let [before, after] = [0, 0]
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!)
    before += size
    if (kept[i] === 1) after += size
    else values[i] = 0
  }
  if (!rescale || round(before) < TINY || round(after) < TINY) return
  const ratio = round(round(before) / round(after))
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * ratio
  settle(values, dtype)
}

/** Magnitudes as integers of the same order. */
const magnitudes = (values: Float32Array): Uint32Array => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length).slice()
  for (let i = 0; i < bits.length; i++) bits[i] = bits[i]! & 0x7fffffff
  return bits
}

/** The value at a rank in ascending order, and how many are smaller: two counts of 16 bits each. */
const valueAt = (bits: Uint32Array, rank: number) => {
  let below = 0
  const find = (counts: Uint32Array) => {
    let at = 0
    while (below + counts[at]! <= rank) below += counts[at++]!
    return at
  }
  const counts = new Uint32Array(2 ** 16)
  for (let i = 0; i < bits.length; i++) counts[bits[i]! >>> 16] = counts[bits[i]! >>> 16]! + 1
  const high = find(counts)
  counts.fill(0)
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]!
    if (b >>> 16 === high) counts[b & 0xffff] = counts[b & 0xffff]! + 1
  }
  return { value: ((high << 16) | find(counts)) >>> 0, below }
}

/**
 * Marks the elements whose magnitudes have ranks from `from` up to, but without, `to` in ascending order. Of equal
 * magnitudes the first has the lower rank, or, if `backwards`, the last.
 */
const ranked = (values: Float32Array, from: number, to: number, backwards: boolean): Uint8Array => {
  const [bits, kept] = [magnitudes(values), new Uint8Array(values.length)]
  if (from >= to) return kept
  const [lower, upper] = [valueAt(bits, from), valueAt(bits, to - 1)]
  let [rankLow, rankHigh] = [lower.below, upper.below]
  for (let j = 0; j < bits.length; j++) {
    const i = backwards ? bits.length - 1 - j : j
    const b = bits[i]!
    if (b > lower.value && b < upper.value) kept[i] = 1
    else if (b === lower.value || b === upper.value) {
      const rank = b === lower.value ? rankLow++ : rankHigh++
      if (rank >= from && rank < to) kept[i] = 1
    }
  }
  return kept
}

const countOf = (share: number, n: number): number => Math.trunc(share * n)

/** TIES: the share `density` of largest magnitude, one element at least. */
export const magnitude = ({ dtype, parameters, rescale, values }: Delta): void => {
  const density = numberOf(parameters, "density")
  if (density >= 1 || values.length === 0) return
  if (density <= 0) return void values.fill(0)
  const n = values.length
  const kept = ranked(values, n - Math.max(1, countOf(density, n)), n, true)
  keep(values, kept, rescale, dtype)
}

/** Model Breadcrumbs: without the share `gamma` of largest magnitude, then the share `density` of what is largest. */
export const outliers = ({ dtype, parameters, rescale, values }: Delta): void => {
  const density = numberOf(parameters, "density")
  if (density >= 1) return
  const n = values.length
  const target = countOf(density, n)
  const from = Math.max(0, n - target - countOf(numberOf(parameters, "gamma"), n))
  const kept = ranked(values, from, Math.min(n, from + target), false)
  keep(values, kept, rescale, dtype)
}

/** Random masks of float16 are applied in float32. */
const working = (dtype: Dtype): Dtype => dtype === "float16" ? "float32" : dtype

/** Keeps each element with its probability. */
const drawn = ({ dtype, rescale, uniform, values }: Delta, probability: (i: number) => number): void => {
  const kept = new Uint8Array(values.length)
  for (let i = 0; i < kept.length; i++) kept[i] = uniform(i) < probability(i) ? 1 : 0
  keep(values, kept, rescale, working(dtype))
  settle(values, dtype)
}

/** DARE: each element with probability `density`. */
export const bernoulli = (delta: Delta): void => {
  const density = numberOf(delta.parameters, "density")
  if (density < 1) drawn(delta, () => density)
}

/** Ranks of a row's magnitudes, from 0, equal ones in their order. */
const ranksOf = (row: Float32Array): Uint32Array => {
  const [bits, ranks] = [magnitudes(row), new Uint32Array(row.length)]
  const order = Uint32Array.from(row, (_, i) => i).sort((a, b) => bits[a]! - bits[b]! || a - b)
  order.forEach((i, rank) => ranks[i] = rank)
  return ranks
}

/**
 * DELLA's probability of keeping each element: from `density - epsilon` for the smallest of its row to
 * `density + epsilon` for the largest, by rank. Rows are those of the last axis.
 */
export const keeping = ({ dtype, parameters, shape, values }: Delta): Float32Array => {
  const [density, epsilon] = [numberOf(parameters, "density"), numberOf(parameters, "epsilon")]
  const [round, width] = [rounded(working(dtype)), shape.at(-1) ?? 1]
  const probabilities = new Float32Array(values.length)
  const last = round(round(round(width - 1) + 1) - 1)
  for (let start = 0; start < values.length; start += width) {
    ranksOf(values.subarray(start, start + width)).forEach((rank, i) => {
      const share = Math.min(1, round(round(round(round(rank) + 1) - 1) / last))
      const wide = round(round(share * 2) * Math.fround(epsilon))
      probabilities[start + i] = round(Math.fround(density - epsilon) + wide)
    })
  }
  return probabilities
}

/** DELLA's MagPrune: each element with a probability that grows with its rank in its row. */
export const magprune = (delta: Delta): void => {
  const density = numberOf(delta.parameters, "density")
  if (density >= 1) return
  if (density <= 0) return void delta.values.fill(0)
  const probabilities = keeping(delta)
  drawn(delta, (i) => probabilities[i]!)
}
