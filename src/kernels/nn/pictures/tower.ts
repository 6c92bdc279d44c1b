/** The transformer of image encoders and of their text towers: norms before attention and before the MLP, with CLIP's names. */
import { add, mul, silu } from "../../op/elementwise.ts"
import { saved } from "../../op/scheduling.ts"
import type { Tensor } from "../../Tensor.ts"
import { mergeHeads, type Mix, splitHeads } from "../attention.ts"
import { type Activation, activations, layerNorm, linear, parts } from "../layers.ts"
import { module, optional, param } from "../Module.ts"

/** Sizes of a tower, spelled as in `config.json`. */
export interface TowerConfig {
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly hidden_act: Activation
  readonly layer_norm_eps: number
  /** Standard deviation of the initial weights. */
  readonly initializer_range: number
  /** Whether queries, keys and values have a bias; by default they do. */
  readonly qkv_bias?: boolean
  /** The first value of the factors of both halves of a layer (Touvron et al. 2021); none without it. */
  readonly layerscale_value?: number
  /** Whether the MLP is gated (SwiGLU, Shazeer 2020) and not of `hidden_act`. */
  readonly swiglu?: boolean
}

/** Attention of a layer: x [b, n, hidden] -> [b, n, hidden]. */
const attention = (c: TowerConfig, layer: number) => {
  const { hidden_size: d, initializer_range: std, num_attention_heads: heads } = c
  const project = linear(d, d, std, c.qkv_bias ?? true)
  const out = linear(d, d, std, true)
  const params = { q_proj: project.params, k_proj: project.params, v_proj: project.params, out_proj: out.params }
  return module(params, (p, x: Tensor, mix: Mix) => {
    const head = (w: typeof p.q_proj) => splitHeads(project.apply(w, x), heads)
    return out.apply(p.out_proj, mergeHeads(mix(head(p.q_proj), head(p.k_proj), head(p.v_proj), layer)))
  })
}

/** fc2(act(fc1 x)). */
const plain = (c: TowerConfig) => {
  const wide = linear(c.hidden_size, c.intermediate_size, c.initializer_range, true)
  const narrow = linear(c.intermediate_size, c.hidden_size, c.initializer_range, true)
  return module(
    { fc1: wide.params, fc2: narrow.params },
    (p, x: Tensor) => narrow.apply(p.fc2, activations[c.hidden_act](wide.apply(p.fc1, x)))
  )
}

/** weights_out(silu(a) ∘ b), of the two halves of weights_in x. */
const gated = (c: TowerConfig) => {
  const wide = linear(c.hidden_size, 2 * c.intermediate_size, c.initializer_range, true)
  const narrow = linear(c.intermediate_size, c.hidden_size, c.initializer_range, true)
  return module({ weights_in: wide.params, weights_out: narrow.params }, (p, x: Tensor) => {
    const [a, b] = parts(wide.apply(p.weights_in, x), [c.intermediate_size, c.intermediate_size])
    return narrow.apply(p.weights_out, mul(silu(a!), b!))
  })
}

/** The MLP of a layer: x [..., hidden] -> [..., hidden]. */
export const mlp = (c: TowerConfig) => (c.swiglu ? gated(c) : plain(c)) as ReturnType<typeof plain>

const layerScale = ({ hidden_size, layerscale_value = 1 }: TowerConfig) =>
  module({ lambda1: param([hidden_size], { constant: layerscale_value }) }, (p, x: Tensor) => mul(x, p.lambda1))

const layer = (c: TowerConfig, index: number) => {
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  const [attends, widens] = [attention(c, index), mlp(c)]
  const scale = optional(c.layerscale_value !== undefined, layerScale(c))
  const params = {
    layer_norm1: norm.params,
    self_attn: attends.params,
    layer_scale1: scale.params,
    layer_norm2: norm.params,
    mlp: widens.params,
    layer_scale2: scale.params
  }
  return module(params, (p, x: Tensor, mix: Mix) => {
    const attended = attends.apply(p.self_attn, norm.apply(p.layer_norm1, x), mix)
    const y = add(x, scale.apply(p.layer_scale1, attended))
    const widened = widens.apply(p.mlp, norm.apply(p.layer_norm2, y))
    return add(y, scale.apply(p.layer_scale2, widened))
  })
}

/**
 * The hidden states of the layers of a tower from `from` to `to` - 1, by default all: x [b, n, hidden] -> x itself, and what
 * each of them makes of it, without a norm at the end.
 */
export const states = (c: TowerConfig, from = 0, to = c.num_hidden_layers) => {
  const blocks = Array.from({ length: to - from }, (_, i) => [String(from + i), layer(c, from + i)] as const)
  const params = Object.fromEntries(blocks.map(([name, block]) => [name, block.params]))
  return module({ layers: params }, (p, x: Tensor, mix: Mix) => {
    const all = [x]
    for (const [name, block] of blocks) all.push(block.apply(p.layers[name]!, saved(all.at(-1)!), mix))
    return all as ReadonlyArray<Tensor>
  })
}

/** The layers of a tower: x [b, n, hidden] -> [b, n, hidden], without a norm at the end. */
export const layers = (c: TowerConfig) => {
  const all = states(c)
  return module(all.params, (p, x: Tensor, mix: Mix) => all.apply(p, x, mix).at(-1)!)
}
