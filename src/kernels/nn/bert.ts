/**
 * BERT encoder (Devlin et al. 2019), with the parameter names of its checkpoints, and what its relatives have otherwise:
 * RoBERTa (Liu et al. 2019) and XLM-RoBERTa, DistilBERT (Sanh et al. 2019), MPNet (Song et al. 2020).
 */
import * as Nd from "../NdArray.ts"
import { attend } from "../op/attend.ts"
import { reshape } from "../op/broadcast.ts"
import { transpose } from "../op/contract.ts"
import { add, sub } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import { dropout } from "../op/random.ts"
import { saved } from "../op/scheduling.ts"
import { less, where } from "../op/select.ts"
import { constant, type Tensor } from "../Tensor.ts"
import { keyBias, mergeHeads, splitHeads } from "./attention.ts"
import { type Activation, activations, embedding, layerNorm, linear } from "./layers.ts"
import { type Bound, listParams, type Module, module, optional, type Params, repeat } from "./Module.ts"

/** BERT and its relatives, by `model_type`. */
export const bertTypes = ["bert", "roberta", "xlm-roberta", "camembert", "distilbert", "mpnet"] as const
/** One of `bertTypes`. */
export type BertType = typeof bertTypes[number]

/** Sizes of the encoder, spelled as in BERT's `config.json`. */
export interface BertConfig {
  readonly model_type: BertType
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  /** Tokens of the longest text. */
  readonly max_position_embeddings: number
  /** Rows of the table of positions before that of a text's first token: RoBERTa counts from its padding id on. Default: 0. */
  readonly first_position?: number
  /** 0: texts have no types. */
  readonly type_vocab_size: number
  /** Ranges of distances between tokens, each with an attention bias for each head; default: none. */
  readonly relative_attention_num_buckets?: number
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

/** What BERT's layers need to know of a config. */
export type LayerSizes = Pick<
  BertConfig,
  "hidden_size" | "intermediate_size" | "layer_norm_eps" | "hidden_dropout_prob" | "initializer_range" | "hidden_act"
>

const selfAttention = (c: BertConfig) => {
  const project = linear(c.hidden_size, c.hidden_size, c.initializer_range, true)
  const params = { query: project.params, key: project.params, value: project.params }
  return module(params, (p, x: Tensor, bias: Tensor, _key?: Tensor) => {
    const head = (w: typeof p.query) => splitHeads(project.apply(w, x), c.num_attention_heads)
    return mergeHeads(attend(head(p.query), head(p.key), head(p.value), bias))
  })
}

/** Dense, dropout, residual, norm: the end of both halves of a BERT layer. */
const residual = (c: LayerSizes, from: number, site: number) => {
  const dense = linear(from, c.hidden_size, c.initializer_range, true)
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  return module(
    { dense: dense.params, LayerNorm: norm.params },
    (p, x: Tensor, skip: Tensor, key?: Tensor) =>
      norm.apply(p.LayerNorm, add(dropout(dense.apply(p.dense, x), key, c.hidden_dropout_prob, site), skip))
  )
}

/** A layer around an attention that reads hidden states [b, n, hidden] and what it sees: the dropout key comes last. */
export const layerAround = <P extends Params, View>(
  c: LayerSizes,
  index: number,
  self: Module<P, [x: Tensor, view: View, key?: Tensor], Tensor>
) => {
  const attended = residual(c, c.hidden_size, 2 * index + 1)
  const widen = linear(c.hidden_size, c.intermediate_size, c.initializer_range, true)
  const narrow = residual(c, c.intermediate_size, 2 * index + 2)
  const params = {
    attention: { self: self.params, output: attended.params },
    intermediate: { dense: widen.params },
    output: narrow.params
  }
  return module(params, (p, x: Tensor, view: View, key?: Tensor) => {
    const y = attended.apply(p.attention.output, self.apply(p.attention.self as Bound<P>, x, view, key), x, key)
    return narrow.apply(p.output, activations[c.hidden_act ?? "gelu"](widen.apply(p.intermediate.dense, y)), y, key)
  })
}

/** Adds what all tokens of type 0 have. */
const firstType = (c: BertConfig) => {
  const types = embedding(c.type_vocab_size, c.hidden_size, c.initializer_range)
  return module(
    types.params,
    (p, x: Tensor) => add(x, types.apply(p, constant(Nd.make([1], () => 0), "int32")))
  )
}

const embeddings = (c: BertConfig) => {
  const { first_position: first = 0 } = c
  const [words, positions] = [c.vocab_size, first + c.max_position_embeddings].map((n) =>
    embedding(n, c.hidden_size, c.initializer_range)
  ) as [ReturnType<typeof embedding>, ReturnType<typeof embedding>]
  const types = optional(c.type_vocab_size > 0, firstType(c))
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  const params = {
    word_embeddings: words.params,
    position_embeddings: positions.params,
    token_type_embeddings: types.params,
    LayerNorm: norm.params
  }
  return module(params, (p, ids: Tensor, key?: Tensor) => {
    const places = iota([ids.type.shape[1]!])
    const at = first === 0 ? places : add(places, constant(Nd.scalar(first), "int32"))
    const place = types.apply(p.token_type_embeddings, positions.apply(p.position_embeddings, at))
    const sum = add(words.apply(p.word_embeddings, ids), place)
    return dropout(norm.apply(p.LayerNorm, sum), key, c.hidden_dropout_prob, 0)
  })
}

/** Distances from which on a key is in the last bucket of its side. */
const FAR = 128

/**
 * Buckets of the distances -FAR to FAR of a key from its query (Raffel et al. 2020, 2.1): half of them are for keys after it;
 * of each half the first half for one distance each, the others grow logarithmically.
 */
const bucketsOf = (buckets: number): ReadonlyArray<number> => {
  const [side, exact] = [buckets / 2, buckets / 4]
  return Array.from({ length: 2 * FAR + 1 }, (_, i) => {
    const [distance, after] = [Math.abs(i - FAR), i > FAR ? side : 0]
    if (distance < exact) return after + distance
    const large = exact + Math.trunc(Math.log(distance / exact) / Math.log(FAR / exact) * (side - exact))
    return after + Math.min(large, side - 1)
  })
}

/** Adds the biases of heads for the distances between tokens to a bias [b, 1, 1, n]: [b, heads, n, n]. */
const distanceBias = (c: BertConfig, buckets: number) => {
  const table = embedding(buckets, c.num_attention_heads, c.initializer_range)
  const own = Nd.fromArray([2 * FAR + 1], bucketsOf(buckets))
  return module({ relative_attention_bias: table.params }, (p, bias: Tensor) => {
    const n = bias.type.shape[3]!
    const [least, most] = [-FAR, FAR].map((d) => constant(Nd.scalar(d), "int32")) as [Tensor, Tensor]
    const distance = sub(iota([1, n]), iota([n, 1]))
    const kept = where(less(distance, least), least, where(less(most, distance), most, distance))
    const byDistance = table.apply(p.relative_attention_bias, constant(own, "int32"))
    const found = gather(byDistance, add(kept, most))
    return add(bias, reshape(transpose(found, [2, 0, 1]), [1, c.num_attention_heads, n, n]))
  })
}

/** Last hidden states: [b, n, hidden]. */
export const bert = (c: BertConfig) => {
  const { relative_attention_num_buckets: buckets = 0 } = c
  const embed = embeddings(c)
  const layers = repeat(c.num_hidden_layers, (i) => layerAround(c, i, selfAttention(c)))
  const distances = optional(buckets > 0, distanceBias(c, buckets))
  const params = { embeddings: embed.params, encoder: { layer: listParams(layers), ...distances.params } }
  return module(params, (p, { ids, key, mask }: EncoderInput) => {
    const bias = distances.apply(p.encoder, keyBias(mask))
    return layers.reduce(
      (x, block, i) => block.apply(p.encoder.layer[String(i)]!, saved(x), bias, key),
      embed.apply(p.embeddings, ids, key)
    )
  })
}
