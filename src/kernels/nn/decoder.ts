/** A Llama decoder (Touvron et al. 2023), parameters named as in its checkpoints. */
import { attend } from "../op/attend.ts"
import { reshape } from "../op/broadcast.ts"
import { matmul } from "../op/contract.ts"
import { add, mul, silu } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { rotary } from "../op/position.ts"
import { dropout } from "../op/random.ts"
import type { Tensor } from "../Tensor.ts"
import { branchBias, mergeHeads, rotaryFrequencies, splitHeads } from "./attention.ts"
import { embedding, linear, rmsNorm } from "./layers.ts"
import { listParams, module, normal, type Params, repeat } from "./Module.ts"

/** Sizes of the decoder, spelled as in `config.json`. */
export interface DecoderConfig {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly num_key_value_heads: number
  readonly max_position_embeddings: number
  readonly rms_norm_eps: number
  readonly rope_theta: number
  readonly tie_word_embeddings: boolean
  readonly hidden_dropout_prob: number
  /** Standard deviation of the weights before training. */
  readonly initializer_range: number
}

export interface DecoderInput {
  /** int32 [b, n] */
  readonly ids: Tensor
  /** int32 [b, n]: the place of each token in its own sequence. */
  readonly positions: Tensor
  /** int32 [b, n]: who sees whom, see `branchBias`. */
  readonly branches: Tensor
  /** int32 [r]: rows of the flattened [b·n] tokens whose next token is predicted; all where it is left out. */
  readonly rows?: Tensor | undefined
  /** int32 scalar; dropout is on where it is given. */
  readonly key?: Tensor | undefined
}

const selfAttention = (c: DecoderConfig) => {
  const size = c.hidden_size / c.num_attention_heads
  const query = linear(c.hidden_size, c.hidden_size, c.initializer_range)
  const shared = linear(c.hidden_size, size * c.num_key_value_heads, c.initializer_range)
  const rotation = {
    frequencies: rotaryFrequencies(size, c.rope_theta),
    positions: c.max_position_embeddings,
    reverse: false
  }
  const params = { q_proj: query.params, k_proj: shared.params, v_proj: shared.params, o_proj: query.params }
  return module(params, (p, x: Tensor, positions: Tensor, bias: Tensor) => {
    const q = splitHeads(query.apply(p.q_proj, x), c.num_attention_heads)
    const k = splitHeads(shared.apply(p.k_proj, x), c.num_key_value_heads)
    const v = splitHeads(shared.apply(p.v_proj, x), c.num_key_value_heads)
    const mixed = attend(rotary(q, positions, rotation), rotary(k, positions, rotation), v, bias)
    return query.apply(p.o_proj, mergeHeads(mixed))
  })
}

/** SwiGLU: down(silu(gate x) ∘ up x). */
const feedForward = (c: DecoderConfig) => {
  const widen = linear(c.hidden_size, c.intermediate_size, c.initializer_range)
  const narrow = linear(c.intermediate_size, c.hidden_size, c.initializer_range)
  return module(
    { gate_proj: widen.params, up_proj: widen.params, down_proj: narrow.params },
    (p, x: Tensor) => narrow.apply(p.down_proj, mul(silu(widen.apply(p.gate_proj, x)), widen.apply(p.up_proj, x)))
  )
}

const layer = (c: DecoderConfig, index: number) => {
  const attention = selfAttention(c)
  const mlp = feedForward(c)
  const norm = rmsNorm(c.hidden_size, c.rms_norm_eps)
  const params = {
    input_layernorm: norm.params,
    self_attn: attention.params,
    post_attention_layernorm: norm.params,
    mlp: mlp.params
  }
  return module(params, (p, x: Tensor, input: DecoderInput, bias: Tensor) => {
    const drop = (t: Tensor, half: number) => dropout(t, input.key, c.hidden_dropout_prob, 2 * index + half)
    const attended = attention.apply(p.self_attn, norm.apply(p.input_layernorm, x), input.positions, bias)
    const y = add(x, drop(attended, 0))
    return add(y, drop(mlp.apply(p.mlp, norm.apply(p.post_attention_layernorm, y)), 1))
  })
}

/** Final hidden states: [b, n, hidden]. */
const backbone = (c: DecoderConfig) => {
  const embed = embedding(c.vocab_size, c.hidden_size, c.initializer_range)
  const layers = repeat(c.num_hidden_layers, (i) => layer(c, i))
  const norm = rmsNorm(c.hidden_size, c.rms_norm_eps)
  const params = { embed_tokens: embed.params, layers: listParams(layers), norm: norm.params }
  return module(params, (p, input: DecoderInput) => {
    const bias = branchBias(input.branches)
    const embedded = embed.apply(p.embed_tokens, input.ids)
    const last = layers.reduce((x, block, i) => block.apply(p.layers[String(i)]!, x, input, bias), embedded)
    return norm.apply(p.norm, last)
  })
}

/** Logits of the token after each of `rows`: [r, vocabulary]. */
export const llama = (c: DecoderConfig) => {
  const model = backbone(c)
  const untied: Params = c.tie_word_embeddings
    ? {}
    : { lm_head: { weight: normal([c.vocab_size, c.hidden_size], c.initializer_range) } }
  const params = { model: model.params, ...untied }
  return module(params, (p, input: DecoderInput) => {
    const hidden = reshape(model.apply(p.model, input), [-1, c.hidden_size])
    const head = c.tie_word_embeddings
      ? p.model.embed_tokens.weight
      : (p as unknown as { readonly lm_head: { readonly weight: Tensor } }).lm_head.weight
    return matmul(input.rows ? gather(hidden, input.rows) : hidden, head, false, true)
  })
}
export type Decoder = ReturnType<typeof llama>
