/** Decoding step: new tokens in; next-token logits and their keys and values out. */
import { cacheShape, remember } from "../../../kernels/nn/cache.ts"
import type { Decoder, DecoderConfig } from "../../../kernels/nn/decoder.ts"
import { entering } from "../../../kernels/nn/Module.ts"
import { slice, stack } from "../../../kernels/op/gather.ts"
import { iota } from "../../../kernels/op/iota.ts"
import { less } from "../../../kernels/op/select.ts"
import { names } from "../../../kernels/Step.ts"
import { byName, input, type Shape } from "../../../kernels/Tensor.ts"
import { pastNames } from "../../engine/KeyValueCache.ts"
import type { Family } from "../../engine/Session.ts"

/** Cached keys and values of each layer, as inputs of the given shape. */
const pastInputs = (layers: number, shape: Shape) =>
  Array.from({ length: layers }, (_, i) => {
    const { k, v } = pastNames(i)
    return { k: input(k, shape), v: input(v, shape) }
  })

/** Sizes that a decoding step may have any of. */
export type GenerationSize = "rows" | "length" | "slots" | "features"

/**
 * Rows of new tokens at their positions, with a KV cache indexed by position: a row attends to the cached positions
 * before its first new one. `last`: flat indices of the tokens whose next token is predicted. With a `width`, which is that of
 * a row of features, it is fed features and their places too.
 *
 * `model` is the model's name; with `rounds` operands of quantised matrices are rounded (see `Graph`). Outputs: `logits` [rows, vocabulary] and `present` [2 · layers, rows, KV heads, length,
 * head size], alternating keys and values.
 */
export const generation = (
  c: DecoderConfig,
  decoder: Decoder,
  model = "decoder",
  rounds = false,
  width = 0
): Family<GenerationSize> => ({
  sizes: ["rows", "length", "slots", ...(width > 0 ? ["features" as const] : [])],
  at: ({ features, length, rows, slots }) => {
    const [ids, positions] = [input("ids", [rows, length], "int32"), input("positions", [rows, length], "int32")]
    const last = input("last", [rows], "int32")
    const { groups, layers, size } = cacheShape(c)
    const past = pastInputs(layers, [rows, groups, slots, size])
    const taken = less(iota([1, slots]), slice(positions, 1, 0, 1))
    const { mix, present } = remember(c, past, { slots: positions, taken })
    const weights = entering(decoder.params, names.param)
    const seen = width > 0
      ? { features: input("features", [features, width]), places: input("places", [rows, length], "int32") }
      : {}
    const logits = decoder.apply(weights.bound, { ids, positions, rows: last, mix, ...seen })
    return {
      name: `${model}.generate ${rows}x${length} after ${slots}`,
      inputs: { ...weights.inputs, ids, positions, last, ...seen, ...byName(past.flatMap(({ k, v }) => [k, v])) },
      outputs: { logits, present: stack(present.flatMap(({ k, v }) => [k, v])) },
      rounds
    }
  }
})
