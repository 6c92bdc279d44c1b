/** Methods that add task vectors, the differences from the base, to the base: task arithmetic and its kin. */
import { baseOf, type Dtype, type Group, numberOf, othersOf, rounded, settle } from "./group.ts"
import type { Delta } from "./sparsify.ts"

/** How the task vectors are sparsified, and whether signs are elected. */
export interface Kind {
  readonly sparsify?: (delta: Delta) => void
  /** Only elements whose sign is that of the weighted sum are added (TIES). */
  readonly elects: boolean
}

/** Elements that are mixed at a time. */
const BLOCK = 2 ** 15

/** `values` minus `base`, in place. */
const subtract = (values: Float32Array, base: Float32Array, dtype: Dtype): void => {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! - base[i]!
  settle(values, dtype)
}

const scale = (values: Float32Array, factor: number, dtype: Dtype): void => {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor
  settle(values, dtype)
}

/** Weighted task vectors, in place of the inputs. */
const weighted = (group: Group, base: Float32Array, { sparsify }: Kind) => {
  const { dtype, shape, shared } = group
  return othersOf(group).map(({ parameters, uniform, values }) => {
    subtract(values, base, dtype)
    sparsify?.({ values, shape, dtype, rescale: shared["rescale"] === true, parameters, uniform })
    const weight = rounded(dtype)(numberOf(parameters, "weight"))
    scale(values, weight, dtype)
    return { values, weight }
  })
}
type Weighted = ReturnType<typeof weighted>

/** The sum over models, and what it is divided by where it is normalised, of elements from a place on. */
interface Mix {
  readonly sum: Float32Array
  readonly divisor: Float32Array
}
/** Fills a mix, which is as long as the elements are many, from place `from` on. */
type Mixing = (all: Weighted, from: number, dtype: Dtype, mix: Mix) => void

/** Fills `sum` with the sum of all models' elements, in float32, rounded once. */
const total = (all: Weighted, from: number, dtype: Dtype, sum: Float32Array): void => {
  sum.fill(0)
  for (const { values } of all) for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + values[from + i]!
  settle(sum, dtype)
}

/** Of all models; weights that cancel divide by one. */
const plain: Mixing = (all, from, dtype, { divisor, sum }) => {
  const weights = rounded(dtype)(all.reduce((s, { weight }) => Math.fround(s + weight), 0))
  divisor.fill(Math.abs(weights) < 1e-8 ? 1 : weights)
  total(all, from, dtype, sum)
}

/** Of the models whose sign is the elected one: that of the sum, a sum of zero counting as positive. */
const elected = (all: Weighted, from: number, dtype: Dtype, { divisor, sum }: Mix, whole: Float32Array): void => {
  total(all, from, dtype, whole)
  sum.fill(0)
  divisor.fill(0)
  for (const { values, weight } of all) {
    for (let i = 0; i < sum.length; i++) {
      const v = values[from + i]!
      if (v === 0 || v > 0 !== whole[i]! >= 0) continue
      sum[i] = sum[i]! + v
      divisor[i] = divisor[i]! + weight
    }
  }
  settle(sum, dtype)
  settle(divisor, dtype)
  for (let i = 0; i < divisor.length; i++) divisor[i] = divisor[i]! || 1
}

/** How a kind mixes, with arrays that all blocks use again. */
const mixingOf = ({ elects }: Kind): Mixing => {
  if (!elects) return plain
  const whole = new Float32Array(BLOCK)
  return (all, from, dtype, mix) => elected(all, from, dtype, mix, whole.subarray(0, mix.sum.length))
}

/** The merge of a kind: the base plus `lambda` times the mix of the task vectors. */
export const merged = (kind: Kind) => (group: Group): Float32Array => {
  const [base, { dtype, shared }] = [baseOf(group)!, group]
  const all = weighted(group, base, kind)
  const lambda = Math.fround(numberOf(shared, "lambda"))
  const [mixing, sums, divisors] = [mixingOf(kind), new Float32Array(BLOCK), new Float32Array(BLOCK)]
  for (let from = 0; from < base.length; from += BLOCK) {
    const n = Math.min(BLOCK, base.length - from)
    const [sum, divisor] = [sums.subarray(0, n), divisors.subarray(0, n)]
    mixing(all, from, dtype, { sum, divisor })
    if (shared["normalize"] === true) {
      for (let i = 0; i < n; i++) sum[i] = sum[i]! / divisor[i]!
      settle(sum, dtype)
    }
    if (lambda !== 1) scale(sum, lambda, dtype)
    for (let i = 0; i < n; i++) base[from + i] = base[from + i]! + sum[i]!
  }
  settle(base, dtype)
  return base
}

/** Elements whose variance over the task vectors is in the share `select_topk` of the largest that are not zero. */
const varied = (deltas: ReadonlyArray<Float32Array>, share: number): (i: number) => boolean => {
  if (share >= 1) return () => true
  const variances = deltas[0]!.map((_, i) => {
    const mean = deltas.reduce((s, d) => s + d[i]!, 0) / deltas.length
    return deltas.reduce((s, d) => s + (d[i]! - mean) ** 2, 0) / deltas.length
  })
  const positive = variances.reduce((n, v) => n + (v === 0 ? 0 : 1), 0)
  const most = share <= 0 ? 0 : Math.trunc(positive * share)
  const order = Uint32Array.from(variances, (_, i) => i).sort((a, b) => variances[b]! - variances[a]! || a - b)
  const chosen = new Set(order.subarray(0, most))
  return (i) => chosen.has(i)
}

/** SCE: task vectors selected by variance, weighted by their mean squares, signs elected. */
export const sce = (group: Group): Float32Array => {
  const [base, round] = [baseOf(group)!, rounded(group.dtype)]
  const deltas = othersOf(group).map(({ values }) => values.map((x, i) => round(x - base[i]!)))
  if (deltas.length === 0) return base
  const selects = varied(deltas, numberOf(group.shared, "select_topk"))
  for (const delta of deltas) for (let i = 0; i < delta.length; i++) if (!selects(i)) delta[i] = 0
  const squares = deltas.map((delta) => round(delta.reduce((s, x) => s + round(x * x), 0) / delta.length))
  const whole = round(squares.reduce((s, x) => s + x, 0))
  const weights = squares.map((s) => Math.abs(whole) < 1e-6 ? round(1 / squares.length) : round(s / whole))
  return base.map((b, i) => {
    const sign = round(deltas.reduce((s, d) => s + d[i]!, 0)) >= 0 ? 1 : -1
    let [sum, divisor] = [0, 0]
    deltas.forEach((delta, k) => {
      if (Math.sign(delta[i]!) !== sign) return
      sum += round(delta[i]! * weights[k]!)
      divisor += weights[k]!
    })
    return round(b + round(round(sum) / Math.max(round(divisor), round(1e-6))))
  })
}
