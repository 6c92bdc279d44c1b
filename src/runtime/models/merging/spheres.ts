/** Methods that interpolate along great circles. */
import {
  baseOf,
  dot,
  type Dtype,
  type Group,
  length,
  numberOf,
  othersOf,
  type Round,
  rounded,
  settle,
  Unmergeable
} from "./group.ts"

const clamped = (cosine: number): number => Math.max(-1, Math.min(1, cosine))

/** Interpolates from the base (t = 0) to the other model (t = 1); linearly where they are nearly collinear. */
export const slerp = (group: Group): Float32Array => {
  const [base, other] = [baseOf(group)!, othersOf(group)[0]!.values]
  const t = Math.fround(numberOf(group.shared, "t"))
  const norm = (v: Float32Array) => {
    const size = length(v)
    return size > 1e-8 ? size : 1
  }
  const cosine = clamped(dot(base, other) / norm(base) / norm(other))
  const theta = Math.acos(cosine)
  const [a, b] = Math.abs(cosine) > 0.9995
    ? [1 - t, t]
    : [Math.sin((1 - t) * theta) / Math.sin(theta), Math.sin(t * theta) / Math.sin(theta)]
  for (let i = 0; i < base.length; i++) base[i] = Math.fround(a * base[i]!) + Math.fround(b * other[i]!)
  settle(base, group.dtype)
  return base
}

/** A vector within a tensor: the elements at `start`, `start + step`, ... */
interface Line {
  readonly start: number
  readonly step: number
  readonly length: number
}

/** The vectors along an axis of a tensor. */
const lines = (shape: ReadonlyArray<number>, axis: number): ReadonlyArray<Line> => {
  const length = shape[axis]!
  const step = shape.slice(axis + 1).reduce((n, size) => n * size, 1)
  const outer = shape.slice(0, axis).reduce((n, size) => n * size, 1)
  return Array.from({ length: outer * step }, (_, i) => ({
    start: Math.floor(i / step) * step * length + i % step,
    step,
    length
  }))
}

/** Steps within half precision are rounded, as PyTorch's are; those within float32 are not. */
const inner = (dtype: Dtype): Round => dtype === "float32" ? (x) => x : rounded(dtype)

/** The coefficients of two vectors of this cosine; none if they are collinear. */
const arc = (cosine: number, t: number, r: Round) => {
  if (r(1 - r(cosine * cosine)) <= 1e-16) return undefined
  const theta = r(Math.acos(cosine))
  return { sine: r(Math.sin(theta)), from: r(Math.sin(r((1 - t) * theta))), to: r(Math.sin(r(t * theta))) }
}

/** Overwrites the vector of `a` with the interpolation to that of `b`. */
const turn = (a: Float32Array, b: Float32Array, { length: n, start, step }: Line, t: number, dtype: Dtype): void => {
  const r = inner(dtype)
  const over = (f: (at: number) => number): number => {
    let total = 0
    for (let i = 0; i < n; i++) total += f(start + i * step)
    return total
  }
  const norm = (v: Float32Array) => Math.max(r(Math.sqrt(over((at) => v[at]! ** 2))), 1e-7)
  const [normA, normB] = [norm(a), norm(b)]
  const coefficients = arc(clamped(r(over((at) => r(r(a[at]! / normA) * r(b[at]! / normB))))), t, r)
  for (let i = 0, at = start; i < n; i++, at += step) {
    const [x, y] = [a[at]!, b[at]!]
    a[at] = coefficients === undefined
      ? r(r((1 - t) * x) + r(t * y))
      : r(r(r(coefficients.from * x) + r(coefficients.to * y)) / coefficients.sine)
  }
}

/** NuSLERP: weighted interpolation of two models, or of their task vectors if there is a base. */
export const nuslerp = (group: Group): Float32Array => {
  const { dtype, shape, shared } = group
  const [base, round, others] = [baseOf(group), rounded(dtype), othersOf(group)]
  const [a, b] = others.map(({ values }) => base ? values.map((x, i) => round(x - base[i]!)) : values) as [
    Float32Array,
    Float32Array
  ]
  const [first, second] = others.map(({ parameters }) => numberOf(parameters, "weight")) as [number, number]
  const t = Math.abs(first + second) < 1e-6 ? 0.5 : second / (first + second)
  const axis = shared["nuslerp_row_wise"] === true ? 0 : shape.length - 1
  const whole = shared["nuslerp_flatten"] === true || shape.length === 0
  for (const line of whole ? [{ start: 0, step: 1, length: a.length }] : lines(shape, axis)) turn(a, b, line, t, dtype)
  return base ? base.map((x, i) => round(x + a[i]!)) : a
}

/** One step of Karcher's iteration from `mean`: the mean of the tangents towards the unit vectors. */
const tangentAt = (mean: Float32Array, units: ReadonlyArray<Float32Array>, tolerance: number, r: Round) => {
  const [tangent, share] = [new Float32Array(mean.length), 1 / units.length]
  for (const unit of units) {
    const cosine = clamped(r(dot(mean, unit)))
    const theta = r(Math.acos(cosine))
    if (theta < tolerance) continue
    const factor = r(share * r(theta / r(Math.sin(theta))))
    for (let i = 0; i < tangent.length; i++) {
      tangent[i] = r(tangent[i]! + r(factor * r(unit[i]! - r(cosine * mean[i]!))))
    }
  }
  return tangent
}

/** The start of the iteration: the normalised mean, or the first vector if they cancel. */
const startOf = (units: ReadonlyArray<Float32Array>, tolerance: number, round: Round): Float32Array => {
  const [mean, share] = [new Float32Array(units[0]!.length), 1 / units.length]
  for (const unit of units) for (let i = 0; i < mean.length; i++) mean[i] = round(mean[i]! + round(share * unit[i]!))
  const size = length(mean)
  return size < tolerance ? units[0]!.slice() : mean.map((x) => round(x / size))
}

/** Karcher mean: the point of the sphere with the least squared distance to all models; of their mean length. */
export const karcher = ({ dtype, inputs, shared }: Group): Float32Array => {
  const [tolerance, round, r] = [numberOf(shared, "tol"), rounded(dtype), inner(dtype)]
  const all = inputs.map(({ values }) => values)
  if (all.length === 1) return all[0]!
  const norms = all.map(length)
  const units = all.flatMap((v, k) => norms[k]! > tolerance ? [v.map((x) => round(x / norms[k]!))] : [])
  if (units.length === 0) return new Float32Array(all[0]!.length)
  let mean = startOf(units, tolerance, round)
  for (let step = 0; step < numberOf(shared, "max_iter"); step++) {
    const tangent = tangentAt(mean, units, tolerance, r)
    const size = length(tangent)
    if (size < tolerance) break
    const [cosine, sine] = [round(Math.cos(size)), round(Math.sin(size))]
    mean = mean.map((m, i) => round(round(cosine * m) + round(sine * round(tangent[i]! / size))))
    const own = length(mean)
    if (own > tolerance) mean = mean.map((m) => round(m / own))
  }
  const scale = round(norms.reduce((s, norm) => s + norm / all.length, 0))
  return mean.map((m) => round(scale * m))
}

/** The sum of vectors times weights, each product and the sum rounded. */
const blend = (all: ReadonlyArray<Float32Array>, weights: ReadonlyArray<number>, r: Round): Float32Array =>
  all[0]!.map((_, i) => {
    let total = 0
    for (let k = 0; k < all.length; k++) total += r(all[k]![i]! * weights[k]!)
    return r(total)
  })

/** From the weighted mean of unit vectors, the step on the sphere along the mean of the tangents; `undefined` if they cancel. */
const barycentre = (units: ReadonlyArray<Float32Array>, weights: ReadonlyArray<number>, eps: number, r: Round) => {
  const sum = blend(units, weights, r)
  const size = r(length(sum))
  if (size < eps) return undefined
  const mean = sum.map((x) => r(x / size))
  const tangents = units.map((unit) => {
    let along = 0
    for (let i = 0; i < unit.length; i++) along += r(unit[i]! * mean[i]!)
    const shadow = r(along)
    return unit.map((x, i) => r(x - r(shadow * mean[i]!)))
  })
  const tangent = blend(tangents, weights, r)
  const angle = r(r(length(tangent)) + eps)
  const [cosine, share] = [r(Math.cos(angle)), angle === 0 ? 1 : r(r(Math.sin(angle)) / angle)]
  return mean.map((m, i) => r(r(m * cosine) + r(tangent[i]! * share)))
}

/** The weights of a group, which sum to 1 if they are normalised. */
const weightsOf = (group: Group, r: Round): ReadonlyArray<number> => {
  const given = othersOf(group).map(({ parameters }) => r(numberOf(parameters, "weight")))
  const total = r(given.reduce((s, w) => s + w, 0))
  return group.shared["normalize_weights"] === true ? given.map((w) => r(w / total)) : given
}

/** Multi-SLERP: barycentric interpolation on the sphere around the weighted mean; of task vectors if there is a base. */
export const multislerp = (group: Group): Float32Array => {
  const [base, others, round, r] = [baseOf(group), othersOf(group), rounded(group.dtype), inner(group.dtype)]
  if (others.length === 1) return others[0]!.values
  const [eps, weights] = [numberOf(group.shared, "eps"), weightsOf(group, r)]
  const all = others.map(({ values }) => base ? values.map((x, i) => round(x - base[i]!)) : values)
  const norms = all.map((v) => r(length(v)))
  const units = all.map((v, k) => v.map((x) => r(x / (r(norms[k]! + eps) || 1))))
  const point = barycentre(units, weights, eps, r)
  if (!point && all.length > 2 && norms.some((norm) => norm > 0)) {
    throw new Unmergeable("the weighted unit vectors cancel; choose other weights")
  }
  const size = r(norms.reduce((s, norm, k) => s + r(norm * weights[k]!), 0))
  const merged = point ? point.map((x) => round(x * size)) : blend(all, weights, r)
  return base ? merged.map((x, i) => round(base[i]! + x)) : merged
}
