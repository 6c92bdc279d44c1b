/** BERT encoder (Devlin et al. 2019), with the parameter names of its checkpoints. */
import * as Nd from "../NdArray.ts"
import { attend } from "../op/attend.ts"
import { add } from "../op/elementwise.ts"
import { iota } from "../op/iota.ts"
import { dropout } from "../op/random.ts"
import { saved } from "../op/scheduling.ts"
import { constant, type Tensor } from "../Tensor.ts"
import { keyBias, mergeHeads, splitHeads } from "./attention.ts"
import { type Activation, activations, embedding, layerNorm, linear } from "./layers.ts"
import { listParams, module, repeat } from "./Module.ts"

/** Sizes of the encoder, spelled as in `config.json`. */
export interface BertConfig {
  readonly model_type: "bert"
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly max_position_embeddings: number
  readonly type_vocab_size: number
  readonly layer_norm_eps: number
  readonly hidden_dropout_prob: number
  /** Standard deviation of the initial weights. */
  readonly initializer_range: number
  /** Default: gelu. */
  readonly hidden_act?: Activation
}

/** Input of an encoder: b sequences of n tokens. */
export interface EncoderInput {
  /** int32 [b, n] */
  readonly ids: Tensor
  /** bool [b, n]: true for tokens that may be attended to. */
  readonly mask: Tensor
  /** int32 scalar: the dropout key; no dropout without it. */
  readonly key?: Tensor | undefined
}

const selfAttention = (c: BertConfig) => {
  const project = linear(c.hidden_size, c.hidden_size, c.initializer_range, true)
  const params = { query: project.params, key: project.params, value: project.params }
  return module(params, (p, x: Tensor, bias: Tensor) => {
    const head = (w: typeof p.query) => splitHeads(project.apply(w, x), c.num_attention_heads)
    return mergeHeads(attend(head(p.query), head(p.key), head(p.value), bias))
  })
}

/** Dense, dropout, residual, norm: the end of both halves of a BERT layer. */
const residual = (c: BertConfig, from: number, site: number) => {
  const dense = linear(from, c.hidden_size, c.initializer_range, true)
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  return module(
    { dense: dense.params, LayerNorm: norm.params },
    (p, x: Tensor, skip: Tensor, key?: Tensor) =>
      norm.apply(p.LayerNorm, add(dropout(dense.apply(p.dense, x), key, c.hidden_dropout_prob, site), skip))
  )
}

const layer = (c: BertConfig, index: number) => {
  const self = selfAttention(c)
  const attended = residual(c, c.hidden_size, 2 * index + 1)
  const widen = linear(c.hidden_size, c.intermediate_size, c.initializer_range, true)
  const narrow = residual(c, c.intermediate_size, 2 * index + 2)
  const params = {
    attention: { self: self.params, output: attended.params },
    intermediate: { dense: widen.params },
    output: narrow.params
  }
  return module(params, (p, x: Tensor, bias: Tensor, key?: Tensor) => {
    const y = attended.apply(p.attention.output, self.apply(p.attention.self, x, bias), x, key)
    return narrow.apply(p.output, activations[c.hidden_act ?? "gelu"](widen.apply(p.intermediate.dense, y)), y, key)
  })
}

const embeddings = (c: BertConfig) => {
  const [words, positions, types] = [c.vocab_size, c.max_position_embeddings, c.type_vocab_size].map((n) =>
    embedding(n, c.hidden_size, c.initializer_range)
  ) as [ReturnType<typeof embedding>, ReturnType<typeof embedding>, ReturnType<typeof embedding>]
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  const params = {
    word_embeddings: words.params,
    position_embeddings: positions.params,
    token_type_embeddings: types.params,
    LayerNorm: norm.params
  }
  return module(params, (p, ids: Tensor, key?: Tensor) => {
    const n = ids.type.shape[1]!
    const firstType = constant(Nd.make([1], () => 0), "int32")
    const place = add(
      positions.apply(p.position_embeddings, iota([n])),
      types.apply(p.token_type_embeddings, firstType)
    )
    const sum = add(words.apply(p.word_embeddings, ids), place)
    return dropout(norm.apply(p.LayerNorm, sum), key, c.hidden_dropout_prob, 0)
  })
}

/** Last hidden states: [b, n, hidden]. */
export const bert = (c: BertConfig) => {
  const embed = embeddings(c)
  const layers = repeat(c.num_hidden_layers, (i) => layer(c, i))
  const params = { embeddings: embed.params, encoder: { layer: listParams(layers) } }
  return module(params, (p, { ids, key, mask }: EncoderInput) => {
    const bias = keyBias(mask)
    return layers.reduce(
      (x, block, i) => block.apply(p.encoder.layer[String(i)]!, saved(x), bias, key),
      embed.apply(p.embeddings, ids, key)
    )
  })
}
