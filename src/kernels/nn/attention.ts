/** The shapes around attention: heads, and masks as biases. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { transpose } from "../op/contract.ts"
import { sub } from "../op/elementwise.ts"
import { iota } from "../op/iota.ts"
import { and, equal, less, not, or, penalise } from "../op/select.ts"
import { constant, type Tensor } from "../Tensor.ts"

/** A score that no softmax notices; finite, so that a row of nothing else is not NaN. */
const MASKED = -1e9

/**
 * How the queries of a layer meet its keys and values: q [b, heads, n, d] and k [b, groups, n, d], turned by their
 * positions, v [b, groups, n, d] -> [b, heads, n, d].
 */
export type Mix = (q: Tensor, k: Tensor, v: Tensor, layer: number) => Tensor

/** Whether a layer sees all, or a window, as `layer_types` of `config.json` has it. */
export type LayerType = "full_attention" | "sliding_attention"

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

/** What is added to scores so that only the seen keys count: bool [b, n or 1, s] -> bias [b, 1, n or 1, s]. */
export const biasOf = (seen: Tensor): Tensor => {
  const [b, n, s] = seen.type.shape
  return penalise(reshape(seen, [b!, 1, n!, s!]), MASKED)
}

/** Keys a bidirectional encoder may attend to: bool mask [b, n] -> bias [b, 1, 1, n]. */
export const keyBias = (mask: Tensor): Tensor => biasOf(reshape(mask, [mask.type.shape[0]!, 1, -1]))

/** The same within a distance of `reach` either way: [b, 1, n, n]. */
export const windowBias = (mask: Tensor, reach: number): Tensor => {
  const [b, n] = mask.type.shape
  const distance = sub(iota([1, n!, 1]), iota([1, 1, n!]))
  const [least, most] = [-reach - 1, reach + 1].map((d) => constant(Nd.scalar(d), "int32"))
  const within = and(less(distance, most!), less(least!, distance))
  return biasOf(and(reshape(mask, [b!, 1, n!]), within))
}

/** Whether the key does not come after the query: bool [1, n, n]. */
export const causal = (n: number): Tensor => not(less(iota([1, n, 1]), iota([1, 1, n])))

/** Whether the key lies less than `size` places behind the query: int32 [b, n] and [b, s] -> bool [b, n, s]. */
export const near = (queries: Tensor, keys: Tensor, size: number): Tensor => {
  const [[b, n], [k, s]] = [queries.type.shape, keys.type.shape]
  const behind = sub(reshape(queries, [b!, n!, 1]), reshape(keys, [k!, 1, s!]))
  return less(behind, constant(Nd.scalar(size), "int32"))
}

/** Positions of which a token sees only those nearer to its own than `size`. */
export interface Window {
  /** int32 [b, n] */
  readonly positions: Tensor
  readonly size: number
}

/**
 * What a decoder position may attend to, from int32 branches [b, n]: bias [b, 1, n, n].
 *
 * Branch 0 is the trunk, every position sees the trunk before it; branch k > 0 also sees itself, and not the other
 * branches; branch -1 is padding, which nobody sees. A plain causal sequence is all trunk.
 */
export const branchBias = (branches: Tensor, window?: Window): Tensor => {
  const [b, n] = branches.type.shape
  const [query, key] = [reshape(branches, [b!, n!, 1]), reshape(branches, [b!, 1, n!])]
  const zero = constant(Nd.scalar(0), "int32")
  const trunk = equal(key, zero)
  const own = and(equal(query, key), not(less(key, zero)))
  const before = and(or(trunk, own), causal(n!))
  return biasOf(window ? and(before, near(window.positions, window.positions, window.size)) : before)
}
