/** A BERT as encoder of texts into the space of pictures, as open_clip has it (BiomedCLIP, Zhang et al. 2023). */
import * as Nd from "../../NdArray.ts"
import { reshape } from "../../op/broadcast.ts"
import { gelu } from "../../op/elementwise.ts"
import { slice } from "../../op/gather.ts"
import { l2Normalise } from "../../op/normalise.ts"
import { equal, not } from "../../op/select.ts"
import { constant, type Tensor } from "../../Tensor.ts"
import { bert, type BertConfig } from "../bert.ts"
import { linear } from "../layers.ts"
import { type Bound, module, type Params } from "../Module.ts"
import type { TextEncoder } from "./textTower.ts"

/** Sizes of such an encoder. */
export interface BertTextConfig {
  readonly model_type: "bert"
  readonly bert: BertConfig
  readonly vocab_size: number
  /** Tokens of the longest text that is read. */
  readonly max_position_embeddings: number
  /** The id that is put after texts and not attended to. */
  readonly pad: number
  /** What makes the first token's hidden state a vector: a matrix, or two with GELU between them, of the mean of both sizes. */
  readonly projection: "linear" | "mlp"
  readonly projection_dim: number
}

const projecting = (
  { bert: { hidden_size: from, initializer_range: std }, projection, projection_dim: to }: BertTextConfig
) => {
  if (projection === "linear") {
    const one = linear(from, to, std)
    return module(one.params as Params, (p, x: Tensor) => one.apply(p as Bound<typeof one.params>, x))
  }
  const between = Math.floor((from + to) / 2)
  const [wide, narrow] = [linear(from, between, std), linear(between, to, std)]
  const params = { "0": wide.params, "2": narrow.params }
  return module(params as Params, (own, x: Tensor) => {
    const p = own as Bound<typeof params>
    return narrow.apply(p["2"], gelu(wide.apply(p["0"], x)))
  })
}

/** Unit vectors of texts, ids [b, n], from the hidden state of their first token. */
export const bertTextEncoder = (c: BertTextConfig): TextEncoder => {
  const [body, head] = [bert(c.bert), projecting(c)]
  const params = { text: { transformer: body.params, proj: head.params } }
  return module(params as Params, (own, ids: Tensor) => {
    const { text: p } = own as unknown as Bound<typeof params>
    const mask = not(equal(ids, constant(Nd.scalar(c.pad), "int32")))
    const first = slice(body.apply(p.transformer, { ids, mask }), 1, 0, 1)
    return l2Normalise(head.apply(p.proj, reshape(first, [ids.type.shape[0]!, c.bert.hidden_size])))
  }) as unknown as TextEncoder
}
