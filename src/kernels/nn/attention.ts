/** Shapes and masks of attention: splitting and merging heads, masks as additive biases. */
import * as Nd from "../NdArray.ts"
import { reshape } from "../op/broadcast.ts"
import { transpose } from "../op/contract.ts"
import { sub } from "../op/elementwise.ts"
import { iota } from "../op/iota.ts"
import { and, equal, less, not, or, penalise } from "../op/select.ts"
import { constant, type Tensor } from "../Tensor.ts"

/** Bias of a masked key: vanishes in softmax, but finite, so that a fully masked row is not NaN. */
const MASKED = -1e9

/**
 * The attention function of a layer: q [b, heads, n, d] and k [b, groups, n, d], both after RoPE, v [b, groups, n, d],
 * with `groups` KV heads -> [b, heads, n, d].
 */
export type Mix = (q: Tensor, k: Tensor, v: Tensor, layer: number) => Tensor

/** Full or sliding-window attention, as in `layer_types` of `config.json`. */
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

/** The bias added to attention scores, from a mask of visible keys: bool [b, n or 1, s] -> [b, 1, n or 1, s]. */
export const biasOf = (seen: Tensor): Tensor => {
  const [b, n, s] = seen.type.shape
  return penalise(reshape(seen, [b!, 1, n!, s!]), MASKED)
}

/** The bias of a bidirectional encoder's padding mask: bool [b, n] -> [b, 1, 1, n]. */
export const keyBias = (mask: Tensor): Tensor => biasOf(reshape(mask, [mask.type.shape[0]!, 1, -1]))

/** The same, with keys limited to a distance of `reach` on either side: [b, 1, n, n]. */
export const windowBias = (mask: Tensor, reach: number): Tensor => {
  const [b, n] = mask.type.shape
  const distance = sub(iota([1, n!, 1]), iota([1, 1, n!]))
  const [least, most] = [-reach - 1, reach + 1].map((d) => constant(Nd.scalar(d), "int32"))
  const within = and(less(distance, most!), less(least!, distance))
  return biasOf(and(reshape(mask, [b!, 1, n!]), within))
}

/** Causal mask, true for keys up to and including the query: bool [1, n, n]. */
export const causal = (n: number): Tensor => not(less(iota([1, n, 1]), iota([1, 1, n])))

/** Whether a key is less than `size` positions behind the query: int32 [b, n] and [b, s] -> bool [b, n, s]. */
export const near = (queries: Tensor, keys: Tensor, size: number): Tensor => {
  const [[b, n], [k, s]] = [queries.type.shape, keys.type.shape]
  const behind = sub(reshape(queries, [b!, n!, 1]), reshape(keys, [k!, 1, s!]))
  return less(behind, constant(Nd.scalar(size), "int32"))
}

/** A sliding window: a token does not see keys `size` or more positions behind it. */
export interface Window {
  /** int32 [b, n] */
  readonly positions: Tensor
  readonly size: number
}

/**
 * Tree-attention mask of a decoder, from the branch id of each token, int32 [b, n]: bias [b, 1, n, n].
 *
 * Branch 0 is the shared prefix, visible to all later tokens. A token of branch k > 0 also sees the earlier tokens of
 * its own branch, but no other branch. Branch -1 is padding, visible to none. A plain causal sequence is all branch 0.
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
