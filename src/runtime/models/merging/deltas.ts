/** Methods that add task vectors, the differences from the base, to the base: task arithmetic and its kin. */
import { baseOf, type Dtype, type Group, numberOf, othersOf, rounded } from "./group.ts"
import type { Delta } from "./sparsify.ts"

/** How the task vectors are sparsified, and whether signs are elected. */
export interface Kind {
  readonly sparsify?: (delta: Delta) => void
  /** Only elements whose sign is that of the weighted sum are added (TIES). */
  readonly elects: boolean
}

/** Weighted task vectors, in place of the inputs. */
const weighted = (group: Group, base: Float32Array, { sparsify }: Kind) => {
  const [round, rescale] = [rounded(group.dtype), group.shared["rescale"] === true]
  return othersOf(group).map(({ parameters, uniform, values }) => {
    for (let i = 0; i < values.length; i++) values[i] = round(values[i]! - base[i]!)
    sparsify?.({ values, shape: group.shape, dtype: group.dtype, rescale, parameters, uniform })
    const weight = round(numberOf(parameters, "weight"))
    for (let i = 0; i < values.length; i++) values[i] = round(values[i]! * weight)
    return { values, weight }
  })
}
type Weighted = ReturnType<typeof weighted>

/** The sum over models of their `i`-th elements, in float32. */
const total = (all: Weighted, i: number): number => {
  let sum = 0
  for (const { values } of all) sum = Math.fround(sum + values[i]!)
  return sum
}

/** The sum and its divisor, at an element. */
type Mix = (i: number) => readonly [sum: number, divisor: number]

/** Of all models; weights that cancel divide by one. */
const plain = (all: Weighted, dtype: Dtype): Mix => {
  const round = rounded(dtype)
  const sum = round(all.reduce((s, { weight }) => Math.fround(s + weight), 0))
  const divisor = Math.abs(sum) < 1e-8 ? 1 : sum
  return (i) => [round(total(all, i)), divisor]
}

/** Of the models whose sign is the elected one: that of the sum, a sum of zero counting as positive. */
const elected = (all: Weighted, dtype: Dtype): Mix => {
  const round = rounded(dtype)
  return (i) => {
    const sign = round(total(all, i)) >= 0 ? 1 : -1
    let [sum, divisor] = [0, 0]
    for (const { values, weight } of all) {
      const v = values[i]!
      if (Math.sign(v) !== sign) continue
      sum = Math.fround(sum + v)
      divisor = Math.fround(divisor + weight)
    }
    return [round(sum), round(divisor) || 1]
  }
}

/** The merge of a kind: the base plus `lambda` times the mix of the task vectors. */
export const merged = (kind: Kind) => (group: Group): Float32Array => {
  const [base, round] = [baseOf(group)!, rounded(group.dtype)]
  const all = weighted(group, base, kind)
  const [normalizes, lambda] = [group.shared["normalize"] === true, Math.fround(numberOf(group.shared, "lambda"))]
  const mix = (kind.elects ? elected : plain)(all, group.dtype)
  return base.map((b, i) => {
    const [sum, divisor] = mix(i)
    const normal = normalizes ? round(sum / divisor) : sum
    return round(b + (lambda === 1 ? normal : round(normal * lambda)))
  })
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
