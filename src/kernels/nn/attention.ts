/** The shapes around attention: heads, masks as biases, rotary frequencies. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { transpose } from "../op/contract.ts"
import { and, equal, less, not, or, where } from "../op/select.ts"
import { constant, scalar, type Tensor } from "../Tensor.ts"

/** A score that no softmax notices; finite, so that a row of nothing else is not NaN. */
const MASKED = -1e9

/** [b, n, heads·d] -> [b, heads, n, d] */
export const splitHeads = (x: Tensor, heads: number): Tensor => {
  const [b, n, width] = x.type.shape
  return transpose(reshape(x, [b!, n!, heads, width! / heads]), [0, 2, 1, 3])
}

/** [b, heads, n, d] -> [b, n, heads·d] */
export const mergeHeads = (x: Tensor): Tensor => {
  const [b, heads, n, d] = x.type.shape
  return reshape(transpose(x, [0, 2, 1, 3]), [b!, n!, heads! * d!])
}

/** Keys a bidirectional encoder may attend to: bool mask [b, n] -> bias [b, 1, 1, n]. */
export const keyBias = (mask: Tensor): Tensor => {
  const [b, n] = mask.type.shape
  return where(reshape(mask, [b!, 1, 1, n!]), scalar(0), scalar(MASKED))
}

const lowerTriangle = (n: number): Tensor => constant(Nd.make([1, n, n], ([_, i, j]) => j! <= i! ? 1 : 0), "bool")

/**
 * What a decoder position may attend to, from int32 branches [b, n]: bias [b, 1, n, n].
 *
 * Branch 0 is the trunk, every position sees the trunk before it; branch k > 0 also sees itself, and not the other
 * branches; branch -1 is padding, which nobody sees. A plain causal sequence is all trunk.
 */
export const branchBias = (branches: Tensor): Tensor => {
  const [b, n] = branches.type.shape
  const [query, key] = [reshape(branches, [b!, n!, 1]), reshape(branches, [b!, 1, n!])]
  const zero = constant(Nd.scalar(0), "int32")
  const trunk = equal(key, zero)
  const own = and(equal(query, key), not(less(key, zero)))
  const visible = and(or(trunk, own), lowerTriangle(n!))
  return where(reshape(visible, [b!, 1, n!, n!]), scalar(0), scalar(MASKED))
}

/** θ^(-2i/d) for the d/2 planes of a head. */
export const rotaryFrequencies = (headSize: number, theta: number): ReadonlyArray<number> =>
  Array.from({ length: headSize / 2 }, (_, i) => theta ** (-2 * i / headSize))
