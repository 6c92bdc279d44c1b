/** Methods that average weights themselves. */
import { baseOf, type Group, length, numberOf, othersOf, type Round, rounded, settle } from "./group.ts"

/** Weighted sum in float32, by fused multiply-add in the order of the models, divided by the weights' sum. */
export const linear = ({ dtype, inputs, shared }: Group): Float32Array => {
  const result = new Float32Array(inputs[0]!.values.length)
  let divisor = 0
  for (const { parameters, values } of inputs) {
    const weight = Math.fround(numberOf(parameters, "weight"))
    divisor = Math.fround(divisor + weight)
    for (let i = 0; i < result.length; i++) result[i] = result[i]! + values[i]! * weight
  }
  if (shared["normalize"] === true) { for (let i = 0; i < result.length; i++) result[i] = result[i]! / divisor }
  settle(result, dtype)
  return result
}

/** Cosine of the angle between two offsets from the base, clamped; offsets of almost no length count as orthogonal. */
const cosine = (a: Float32Array, b: Float32Array, round: Round): number => {
  let product = 0
  for (let i = 0; i < a.length; i++) product += round(a[i]! * b[i]!)
  const norms = round(round(length(a)) * round(length(b)))
  return Math.max(-1, Math.min(1, round(round(product) / Math.max(norms, 1e-6))))
}

/** How far from the base to the models' mean: K c / (1 + (K - 1) c) for the mean cosine c, not clamped. */
const ratio = (rows: ReadonlyArray<Float32Array>, base: Float32Array, round: Round): number => {
  const offsets = rows.map((row) => row.map((x, i) => round(x - base[i]!)))
  const cosines = offsets.flatMap((a, i) => offsets.slice(i + 1).map((b) => cosine(a, b, round)))
  const c = round(cosines.reduce((s, x) => s + x, 0) / cosines.length)
  const divisor = round(1 + round((rows.length - 1) * c))
  return Math.abs(divisor) < 1e-6 ? 0 : round(round(rows.length * c) / divisor)
}

/** Model Stock: between the base and the mean, by the angle of the offsets; of the tensor or of each of its rows. */
export const modelStock = (group: Group): Float32Array => {
  const { dtype, shape, shared } = group
  const [base, others, round] = [baseOf(group)!, othersOf(group).map(({ values }) => values), rounded(dtype)]
  const width = shared["filter_wise"] === true ? shape.at(-1) ?? 1 : base.length
  const result = new Float32Array(base.length)
  for (let start = 0; start < base.length; start += width) {
    const rows = others.map((values) => values.subarray(start, start + width))
    const own = base.subarray(start, start + width)
    const t = ratio(rows, own, round)
    const rest = round(1 - t)
    own.forEach((b, i) => {
      const mean = round(rows.reduce((s, row) => round(s + row[i]!), 0) / rows.length)
      result[start + i] = round(round(t * mean) + round(rest * b))
    })
  }
  return result
}

/** NearSwap: each element moves towards the other model's by at most `t`. */
export const nearswap = (group: Group): Float32Array => {
  const [base, round] = [baseOf(group)!, rounded(group.dtype)]
  const other = othersOf(group)[0]!.values
  const t = numberOf(group.shared, "t")
  return base.map((a, i) => {
    const b = other[i]!
    const weight = Math.max(0, Math.min(1, round(t / Math.max(round(Math.abs(round(a - b))), round(1e-6)))))
    return round(round(weight * b) + round(round(1 - weight) * a))
  })
}

/** The only model's tensor, times `scale` if it has one. */
export const passthrough = ({ dtype, inputs: [input] }: Group): Float32Array => {
  const { parameters, values } = input!
  const [scale, round] = [parameters["scale"], rounded(dtype)]
  return scale === undefined ? values : values.map((x) => round(x * Math.fround(Number(scale))))
}
