/** How much the parts of a prompt are attended to: attention weighed by the norms of the values it mixes. */
import * as Nd from "../NdArray.ts"
import { attendCausal } from "../op/attend.ts"
import { reshape, sum } from "../op/broadcast.ts"
import { matmul } from "../op/contract.ts"
import { add, float, mul, scale, sqrt } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import { softmax } from "../op/normalise.ts"
import { equal } from "../op/select.ts"
import { constant, type Tensor } from "../Tensor.ts"
import type { Mix } from "./attention.ts"

/** Whose attention is counted, and to what. */
export interface Watched {
  /** int32 [b, t]: tokens of a row whose attention counts. */
  readonly rows: Tensor
  /** float32 [b, t]: how much each counts, 0 for padding. */
  readonly weights: Tensor
  /** int32 [b, n]: the part that each token belongs to, -1 for none. */
  readonly parts: Tensor
  /** Number of parts. */
  readonly count: number
}

type Shape4 = readonly [number, number, number, number]

/** Some rows of the second last axis: x [b, heads, n, d], rows [b, t] -> [b, heads, t, d]. */
const rowsOf = (x: Tensor, rows: Tensor): Tensor => {
  const [b, heads, n, d] = x.type.shape as Shape4
  const t = rows.type.shape[1]!
  const starts = constant(Nd.make([b, heads, 1], ([r, head]) => (r! * heads + head!) * n), "int32")
  const at = reshape(add(starts, reshape(rows, [b, 1, t])), [b * heads * t])
  return reshape(gather(reshape(x, [b * heads * n, d]), at), [b, heads, t, d])
}

/**
 * A layer's mean over heads of Σ_t weights_t Σ_{j of a part} P_tj ‖v_j‖₂, P the softmax of q kᵀ/√d + bias: q [b, h, n, d], k, v
 * [b, g, n, d] with g dividing h, bias [b, 1, n, n] -> [b, count].
 */
const ofLayer = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor, { count, parts, rows, weights }: Watched): Tensor => {
  const [b, h, n, d] = q.type.shape as Shape4
  const [groups, t] = [k.type.shape[1]!, rows.type.shape[1]!]
  const folded = reshape(rowsOf(q, rows), [b, groups, h / groups * t, d])
  const scores = reshape(matmul(folded, k, false, true, 1 / Math.sqrt(d)), [b, h, t, n])
  const attention = softmax(add(scores, rowsOf(bias, rows)))
  const norms = reshape(sqrt(sum(mul(v, v), [-1])), [b, groups, 1, n])
  const heard = reshape(mul(reshape(attention, [b, groups, h / groups * t, n]), norms), [b, h, t, n])
  const each = sum(mul(heard, reshape(weights, [b, 1, t, 1])), [1, 2])
  const member = float(equal(reshape(parts, [b, n, 1]), iota([1, 1, count])))
  return scale(reshape(matmul(reshape(each, [b, 1, n]), member), [b, count]), 1 / h)
}

/**
 * Causal attention with the bias of each layer, [b, 1, n, n], that also counts: after a model is applied with `mix`, `mass` is the
 * mean over its layers, [b, count].
 */
export const watching = (biasOf: (layer: number) => Tensor, watched: Watched) => {
  const layers: Array<Tensor> = []
  const mix: Mix = (q, k, v, layer) => {
    layers.push(ofLayer(q, k, v, biasOf(layer), watched))
    return attendCausal(q, k, v, biasOf(layer))
  }
  return { mix, mass: (): Tensor => scale(layers.reduce((a, b) => add(a, b)), 1 / layers.length) }
}
