/** Encoders of texts into the space of pictures: the text towers of CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023). */
import * as Nd from "../../NdArray.ts"
import { attendCausal } from "../../op/attend.ts"
import { reshape } from "../../op/broadcast.ts"
import { add, float } from "../../op/elementwise.ts"
import { slice } from "../../op/gather.ts"
import { iota } from "../../op/iota.ts"
import { l2Normalise } from "../../op/normalise.ts"
import { equal, reduceMax } from "../../op/select.ts"
import { constant, type Tensor } from "../../Tensor.ts"
import { biasOf, causal, type Mix } from "../attention.ts"
import { embedding, layerNorm, linear } from "../layers.ts"
import { type Module, module, type Params } from "../Module.ts"
import { pool } from "../sentence.ts"
import { layers, type TowerConfig } from "./tower.ts"
import { whole } from "./vision.ts"

/** Sizes of a text tower. */
export interface TextTowerConfig extends TowerConfig {
  readonly model_type: "clip_text_model" | "siglip_text_model"
  readonly vocab_size: number
  /** Tokens of a text: CLIP's at most, SigLIP's always, padded. */
  readonly max_position_embeddings: number
  /** Of CLIP: the id at whose first place a text's vector is; `greatest` for the greatest id of the text. */
  readonly end: number | "greatest"
  /** Numbers of a vector. */
  readonly projection_dim: number
}

/** An encoder of texts: int32 ids [b, n], each with its end token -> unit vectors [b, size]. */
export type TextEncoder = Module<Params, [Tensor], Tensor>

/** Where a text's end token is, first of several: bool [b, n]. */
const ends = (ids: Tensor, end: TextTowerConfig["end"]): Tensor => {
  if (end !== "greatest") return equal(ids, constant(Nd.scalar(end), "int32"))
  const values = float(ids)
  return equal(values, reduceMax(values, 1, true))
}

/** Attention to tokens up to one's own. */
const before = (n: number): Mix => {
  const bias = biasOf(causal(n))
  return (q, k, v) => attendCausal(q, k, v, bias)
}

const embeddings = (c: TextTowerConfig) => {
  const words = embedding(c.vocab_size, c.hidden_size, c.initializer_range)
  const positions = embedding(c.max_position_embeddings, c.hidden_size, c.initializer_range)
  const params = { token_embedding: words.params, position_embedding: positions.params }
  return module(
    params,
    (p, ids: Tensor) =>
      add(words.apply(p.token_embedding, ids), positions.apply(p.position_embedding, iota([ids.type.shape[1]!])))
  )
}

/** Unit vectors of texts: CLIP's at the end token, seen from before it alone; SigLIP's at the last place, which sees everything. */
export const textEncoder = (c: TextTowerConfig): TextEncoder => {
  const isClip = c.model_type === "clip_text_model"
  const [embed, blocks] = [embeddings(c), layers(c)]
  const last = layerNorm(c.hidden_size, c.layer_norm_eps)
  const head = linear(c.hidden_size, c.projection_dim, c.initializer_range, !isClip)
  const text_model = {
    embeddings: embed.params,
    encoder: blocks.params,
    final_layer_norm: last.params,
    ...(isClip ? {} : { head: head.params })
  }
  const params = { text_model, ...(isClip ? { text_projection: head.params } : {}) }
  return module(params as Params, (bound, ids: Tensor) => {
    const p = bound as unknown as { text_model: never; text_projection: never }
    const own = p.text_model as Record<keyof typeof text_model, never>
    const [b, n] = ids.type.shape as readonly [number, number]
    const x = blocks.apply(own.encoder, embed.apply(own.embeddings, ids), isClip ? before(n) : whole)
    const at = isClip ? pool("cls", x, ends(ids, c.end)) : reshape(slice(x, 1, n - 1, n), [b, c.hidden_size])
    return l2Normalise(head.apply(isClip ? p.text_projection : own.head, last.apply(own.final_layer_norm, at)))
  }) as unknown as TextEncoder
}
