/** A decoder as an encoder of texts: its last hidden states, with attention in one or in both directions. */
import { attend, attendCausal } from "../op/attend.ts"
import { expand, reshape } from "../op/broadcast.ts"
import { iota } from "../op/iota.ts"
import { and } from "../op/select.ts"
import type { Tensor } from "../Tensor.ts"
import { biasOf, causal, keyBias, type Mix, near, windowBias } from "./attention.ts"
import type { EncoderInput } from "./bert.ts"
import { decoderBody, type DecoderConfig, windowOf } from "./decoder.ts"
import { module } from "./Module.ts"

/** How far attention reaches. */
export interface Reach {
  /** Whether a token also sees those after it. */
  readonly bidirectional: boolean
  /**
   * With attention in both directions: how many tokens to either side a layer with a sliding window sees; by default as
   * many as the window has.
   */
  readonly window_reach?: number
}
/** The config of a decoder that encodes texts. */
export type EmbedderConfig = DecoderConfig & Reach & { readonly model_type: "decoder" }

/** Positions 0, 1, ... of each row, which is padded at its end: int32 [b, n]. */
const positionsOf = (mask: Tensor): Tensor => expand(iota([1, mask.type.shape[1]!]), mask.type.shape)

/** Attention to the unmasked tokens up to a token: mask, bool [b, n]. */
const causalMix = (c: DecoderConfig, mask: Tensor): Mix => {
  const [b, n] = mask.type.shape as readonly [number, number]
  const seen = and(causal(n), reshape(mask, [b, 1, n]))
  const whole = biasOf(seen)
  const positions = positionsOf(mask)
  const window = c.sliding_window && biasOf(and(seen, near(positions, positions, c.sliding_window)))
  return (q, k, v, layer) => attendCausal(q, k, v, window && windowOf(c, layer) ? window : whole)
}

/** Attention to all unmasked tokens, or to those near a token in layers with a window. */
const bidirectionalMix = (c: EmbedderConfig, mask: Tensor): Mix => {
  const whole = keyBias(mask)
  const reach = c.window_reach ?? c.sliding_window
  const window = reach === undefined ? undefined : windowBias(mask, reach)
  return (q, k, v, layer) => attend(q, k, v, window && windowOf(c, layer) ? window : whole)
}

/** Last hidden states after the final norm: [b, n, hidden]. Rows are padded at their end. */
export const embedder = (c: EmbedderConfig) => {
  const body = decoderBody(c)
  return module(body.params, (p, { ids, key, mask }: EncoderInput) =>
    body.apply(p, {
      ids,
      key,
      positions: positionsOf(mask),
      mix: c.bidirectional ? bidirectionalMix(c, mask) : causalMix(c, mask)
    }))
}
