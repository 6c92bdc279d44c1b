/** ModernBERT (Warner et al. 2024): a pre-norm encoder with RoPE and, in most layers, sliding-window attention. */
import { attend } from "../op/attend.ts"
import { expand } from "../op/broadcast.ts"
import { add, mul } from "../op/elementwise.ts"
import { iota } from "../op/iota.ts"
import { rotary } from "../op/position.ts"
import { dropout } from "../op/random.ts"
import { saved } from "../op/scheduling.ts"
import type { Tensor } from "../Tensor.ts"
import { keyBias, type LayerType, mergeHeads, splitHeads, windowBias } from "./attention.ts"
import type { EncoderInput } from "./bert.ts"
import { type Activation, activations, embedding, layerNorm, linear, parts } from "./layers.ts"
import { listParams, module, optional, repeat } from "./Module.ts"
import { ropeAngles, type RopeParameters } from "./rope.ts"

/** Sizes and options, spelled as in `config.json`. */
export interface ModernBertConfig {
  readonly model_type: "modernbert"
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly max_position_embeddings: number
  readonly norm_eps: number
  readonly norm_bias: boolean
  readonly attention_bias: boolean
  readonly mlp_bias: boolean
  readonly hidden_activation: Activation
  readonly embedding_dropout: number
  readonly mlp_dropout: number
  /** Window of the local layers in tokens, half on either side. */
  readonly local_attention: number
  readonly layer_types: ReadonlyArray<LayerType>
  readonly rope_parameters: Readonly<Record<LayerType, RopeParameters>>
  /** Standard deviation of the initial weights. */
  readonly initializer_range: number
}

/** Attention bias and rotary angles of the layers of one type. */
interface View {
  readonly bias: Tensor
  readonly angles: Tensor
}

const attention = (c: ModernBertConfig) => {
  const widen = linear(c.hidden_size, 3 * c.hidden_size, c.initializer_range, c.attention_bias)
  const merge = linear(c.hidden_size, c.hidden_size, c.initializer_range, c.attention_bias)
  return module({ Wqkv: widen.params, Wo: merge.params }, (p, x: Tensor, { angles, bias }: View) => {
    const heads = parts(widen.apply(p.Wqkv, x), [c.hidden_size, c.hidden_size, c.hidden_size])
      .map((part) => splitHeads(part, c.num_attention_heads))
    const [q, k, v] = heads as [Tensor, Tensor, Tensor]
    return merge.apply(p.Wo, mergeHeads(attend(rotary(q, angles), rotary(k, angles), v, bias)))
  })
}

/** GeGLU: Wo(act(input) ∘ gate). */
const feedForward = (c: ModernBertConfig, site: number) => {
  const widen = linear(c.hidden_size, 2 * c.intermediate_size, c.initializer_range, c.mlp_bias)
  const narrow = linear(c.intermediate_size, c.hidden_size, c.initializer_range, c.mlp_bias)
  const act = activations[c.hidden_activation]
  return module({ Wi: widen.params, Wo: narrow.params }, (p, x: Tensor, key?: Tensor) => {
    const [input, gate] = parts(widen.apply(p.Wi, x), [c.intermediate_size, c.intermediate_size]) as [Tensor, Tensor]
    return narrow.apply(p.Wo, dropout(mul(act(input), gate), key, c.mlp_dropout, site))
  })
}

/** The first layer has no attention norm: the embeddings are already normalised. */
const layer = (c: ModernBertConfig, index: number) => {
  const norm = layerNorm(c.hidden_size, c.norm_eps, c.norm_bias)
  const first = optional(index > 0, norm)
  const attn = attention(c)
  const mlp = feedForward(c, index + 1)
  const params = { attn_norm: first.params, attn: attn.params, mlp_norm: norm.params, mlp: mlp.params }
  return module(params, (p, x: Tensor, view: View, key?: Tensor) => {
    const y = add(x, attn.apply(p.attn, first.apply(p.attn_norm, x), view))
    return add(y, mlp.apply(p.mlp, norm.apply(p.mlp_norm, y), key))
  })
}

/** Bias and angles of each layer type, from a mask: bool [b, n]. */
const views = (c: ModernBertConfig, mask: Tensor): Readonly<Record<LayerType, View>> => {
  const positions = expand(iota([1, mask.type.shape[1]!]), mask.type.shape)
  const size = c.hidden_size / c.num_attention_heads
  const view = (type: LayerType, bias: Tensor): View => ({
    bias,
    angles: ropeAngles(c.rope_parameters[type], size, c.max_position_embeddings, positions)
  })
  return {
    full_attention: view("full_attention", keyBias(mask)),
    sliding_attention: view("sliding_attention", windowBias(mask, Math.floor(c.local_attention / 2)))
  }
}

/** Last hidden states: [b, n, hidden]. */
export const modernBert = (c: ModernBertConfig) => {
  const words = embedding(c.vocab_size, c.hidden_size, c.initializer_range)
  const norm = layerNorm(c.hidden_size, c.norm_eps, c.norm_bias)
  const layers = repeat(c.num_hidden_layers, (i) => layer(c, i))
  const params = {
    embeddings: { tok_embeddings: words.params, norm: norm.params },
    layers: listParams(layers),
    final_norm: norm.params
  }
  return module(params, (p, { ids, key, mask }: EncoderInput) => {
    const sees = views(c, mask)
    const embedded = norm.apply(p.embeddings.norm, words.apply(p.embeddings.tok_embeddings, ids))
    const last = layers.reduce(
      (x, block, i) => block.apply(p.layers[String(i)]!, saved(x), sees[c.layer_types[i]!], key),
      dropout(embedded, key, c.embedding_dropout, 0)
    )
    return norm.apply(p.final_norm, last)
  })
}
