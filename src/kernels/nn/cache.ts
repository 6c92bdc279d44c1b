/** Attention of new tokens to those that came before, whose keys and values are kept in slots. */
import { attendBlocks } from "../op/attend.ts"
import { reshape } from "../op/broadcast.ts"
import { iota } from "../op/iota.ts"
import { and } from "../op/select.ts"
import type { Tensor } from "../Tensor.ts"
import { biasOf, causal, type Mix, near } from "./attention.ts"
import { type DecoderConfig, headSize, windowOf } from "./decoder.ts"

/** The sizes of what a decoder keeps. */
export interface CacheShape {
  readonly layers: number
  /** Key heads of a layer, and the size of each. */
  readonly groups: number
  readonly size: number
}

/** The keys and values that a decoder keeps of each token. */
export const cacheShape = (c: DecoderConfig): CacheShape => ({
  layers: c.num_hidden_layers,
  groups: c.num_key_value_heads,
  size: headSize(c)
})

/** What a layer keeps of each token: k and v, [b, groups, slots, d]. */
export interface Kept {
  readonly k: Tensor
  readonly v: Tensor
}

/** Where new tokens stand among those whose keys and values are kept: c slots for each of b sequences. */
export interface Standing {
  /** Slots that the n new tokens will take: int32 [b or 1, n]. */
  readonly slots: Tensor
  /** Whether a slot is taken by a token that may be seen: bool [b, c]. */
  readonly taken: Tensor
  /** Whether a new token may be seen by those after it: bool [b, n]; all may where it is left out. */
  readonly real?: Tensor | undefined
}

const toEveryQuery = (keys: Tensor): Tensor => reshape(keys, [keys.type.shape[0]!, 1, -1])

/** A decoder's attention that remembers `past`, by layer, and leaves what is to be kept of the new tokens in `present`. */
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
