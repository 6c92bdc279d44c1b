/** Attention with a key-value cache: new tokens attend to cached ones and to each other. */
import { attendBlocks } from "../op/attend.ts"
import { reshape } from "../op/broadcast.ts"
import { iota } from "../op/iota.ts"
import { and } from "../op/select.ts"
import type { Tensor } from "../Tensor.ts"
import { biasOf, causal, type Mix, near } from "./attention.ts"
import { type DecoderConfig, headSize, windowOf } from "./decoder.ts"

/** Sizes of a decoder's key-value cache. */
export interface CacheShape {
  readonly layers: number
  /** KV heads of a layer, and the size of each. */
  readonly groups: number
  readonly size: number
}

/** The key-value cache of a decoder. */
export const cacheShape = (c: DecoderConfig): CacheShape => ({
  layers: c.num_hidden_layers,
  groups: c.num_key_value_heads,
  size: headSize(c)
})

/** Keys and values of a layer: [b, groups, slots, d], with `groups` KV heads. */
export interface Kept {
  readonly k: Tensor
  readonly v: Tensor
}

/** Where new tokens go in a cache of c positions (slots) for each of b sequences, and what they see. */
export interface Standing {
  /** Cache positions of the n new tokens: int32 [b or 1, n]. */
  readonly slots: Tensor
  /** Whether a cache position holds a visible token: bool [b, c]. */
  readonly taken: Tensor
  /** Whether a new token is visible to later ones: bool [b, n]; by default all are. */
  readonly real?: Tensor | undefined
}

const toEveryQuery = (keys: Tensor): Tensor => reshape(keys, [keys.type.shape[0]!, 1, -1])

/** A decoder's attention over the cache `past`, by layer, and new tokens; their keys and values go to `present`. */
export const remember = (c: DecoderConfig, past: ReadonlyArray<Kept>, { real, slots, taken }: Standing) => {
  const order = causal(slots.type.shape[1]!)
  const [before, among] = [toEveryQuery(taken), real ? and(order, toEveryQuery(real)) : order]
  const biases = (window: number | undefined) => {
    const within = (seen: Tensor, keys: Tensor) => biasOf(window ? and(seen, near(slots, keys, window)) : seen)
    return { old: within(before, iota([1, taken.type.shape[1]!])), young: within(among, slots) }
  }
  const whole = biases(undefined)
  const windowed = c.sliding_window ? biases(c.sliding_window) : whole
  const present: Array<Kept> = []
  const mix: Mix = (q, k, v, layer) => {
    present[layer] = { k, v }
    const { old, young } = windowOf(c, layer) ? windowed : whole
    return attendBlocks(q, [{ ...past[layer]!, bias: old }, { k, v, bias: young }])
  }
  return { mix, present }
}
