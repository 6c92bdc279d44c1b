/** Models as graphs for other tools, with the inputs and outputs of Hugging Face's exporters. */
import * as Nd from "../../../kernels/NdArray.ts"
import { cacheShape, remember } from "../../../kernels/nn/cache.ts"
import { colbert, type EncoderConfig } from "../../../kernels/nn/colbert.ts"
import { causalLm, type DecoderConfig } from "../../../kernels/nn/decoder.ts"
import { encoder as hiddenStates } from "../../../kernels/nn/encoders.ts"
import { entering, type Flat, flatten } from "../../../kernels/nn/Module.ts"
import type { EncodeOptions, Graph } from "../../../kernels/onnx/encode.ts"
import { standIns } from "../../../kernels/onnx/openSizes.ts"
import { reshape } from "../../../kernels/op/broadcast.ts"
import { concat, slice } from "../../../kernels/op/gather.ts"
import { iota } from "../../../kernels/op/iota.ts"
import { less } from "../../../kernels/op/select.ts"
import { byName, constant, type Input, input, type Tensor } from "../../../kernels/Tensor.ts"

/** A graph, and the parameters, inputs under their own names, that become part of its model. */
export interface Exported {
  readonly graph: Graph
  readonly params: Flat
  readonly options: Pick<EncodeOptions, "open" | "wide">
}

const shapesOf = (params: Flat) => [...params.values()].map(({ shape }) => shape)
const integers = (name: string, ...shape: ReadonlyArray<number>): Input => input(name, shape, "int32")

/** int32 attention mask as bool: true where positive. */
const isSet = (mask: Tensor): Tensor => less(constant(Nd.scalar(0), "int32"), mask)

/**
 * Logits of every new token, and the keys and values of all tokens, cached ones first. Rows may be padded on either
 * side, as given by `attention_mask`.
 */
export const decoder = (c: DecoderConfig): Exported => {
  const model = causalLm(c)
  const [params, { bound, inputs }] = [flatten(model.params), entering(model.params)]
  const sizes = standIns(["batch_size", "sequence_length", "past_sequence_length"], shapesOf(params))
  const { batch_size: b, past_sequence_length: before, sequence_length: n } = sizes
  const total = before + n
  const [ids, positions] = [integers("input_ids", b, n), integers("position_ids", b, n)]
  const mask = integers("attention_mask", b, total)
  const { groups, layers, size } = cacheShape(c)
  const past = Array.from({ length: layers }, (_, i) => {
    const [k, v] = ["key", "value"].map((kind) => input(`past_key_values.${i}.${kind}`, [b, groups, before, size]))
    return { k: k!, v: v! }
  })
  const { mix, present } = remember(c, past, {
    slots: iota([1, n], before),
    taken: isSet(slice(mask, 1, 0, before)),
    real: isSet(slice(mask, 1, before, total))
  })
  const logits = model.apply(bound, { ids, positions, mix })
  const kept = present.flatMap(({ k, v }, i) => [
    [`present.${i}.key`, concat([past[i]!.k, k], 2)],
    [`present.${i}.value`, concat([past[i]!.v, v], 2)]
  ])
  return {
    params,
    options: {
      open: { ...sizes, total_sequence_length: total },
      wide: new Set(["input_ids", "attention_mask", "position_ids"])
    },
    graph: {
      name: "decoder",
      inputs: { ...byName([ids, mask, positions, ...past.flatMap(({ k, v }) => [k, v])]), ...inputs },
      outputs: { logits: reshape(logits, [b, n, c.vocab_size]), ...Object.fromEntries(kept) }
    }
  }
}

/** Hidden states of every token and, for an encoder with a head, unit token vectors. */
export const encoder = (c: EncoderConfig): Exported => {
  const model = colbert(c)
  const [params, { bound, inputs }] = [flatten(model.params), entering(model.params)]
  const sizes = standIns(["batch_size", "sequence_length"], shapesOf(params))
  const [ids, mask] = ["input_ids", "attention_mask"].map((name) =>
    integers(name, sizes.batch_size, sizes.sequence_length)
  ) as [Input, Input]
  const seen = { ids, mask: isSet(mask) }
  return {
    params,
    options: { open: sizes, wide: new Set(["input_ids", "attention_mask"]) },
    graph: {
      name: "encoder",
      inputs: { ...byName([ids, mask]), ...inputs },
      outputs: {
        last_hidden_state: hiddenStates(c).apply(bound, seen),
        ...(c.dim > 0 ? { token_embeddings: model.apply(bound, seen) } : {})
      }
    }
  }
}
