/**
 * DeBERTa (He et al. 2021), whose attention adds to the scores of contents those between a content and the distance of the two tokens;
 * and versions 2 and 3 (He et al. 2023), with buckets of distances. Parameters have the names of transformers' checkpoints.
 */
import * as Nd from "../NdArray.ts"
import { attend } from "../op/attend.ts"
import { expand, reshape } from "../op/broadcast.ts"
import { matmul, transpose } from "../op/contract.ts"
import { add, float, mul, scale, sub, tanh } from "../op/elementwise.ts"
import { gather, pad, slice } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import { dropout } from "../op/random.ts"
import { saved } from "../op/scheduling.ts"
import { constant, type Tensor } from "../Tensor.ts"
import { keyBias, mergeHeads, splitHeads } from "./attention.ts"
import { type EncoderInput, layerAround, type LayerSizes } from "./bert.ts"
import { type Activation, activations, embedding, layerNorm, linear, parts } from "./layers.ts"
import { type Bound, listParams, type Module, module, normal, optional, type Params, repeat, zeros } from "./Module.ts"

/** Both kinds of checkpoints, by `model_type`; version 3 has that of 2. */
export const debertaTypes = ["deberta", "deberta-v2"] as const
/** Which scores depend on distance: a query's content with it, or a key's. */
export type PositionTerm = "c2p" | "p2c"

/** Sizes and options, spelled as in `config.json`. */
export interface DebertaConfig extends LayerSizes {
  readonly model_type: typeof debertaTypes[number]
  readonly vocab_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  /** Tokens of the longest text. */
  readonly max_position_embeddings: number
  /** Distances that are told apart on either side. */
  readonly max_relative_positions: number
  /** Buckets of distances on either side; 0: one for each distance. */
  readonly position_buckets: number
  readonly pos_att_type: ReadonlyArray<PositionTerm>
  /** Whether distances are projected as contents are. */
  readonly share_att_key: boolean
  /** Whether the vectors of distances are normalised. */
  readonly norm_rel_ebd: boolean
  /** Tokens that the convolution beside the first layer sees; 0: there is none. */
  readonly conv_kernel_size: number
  readonly conv_act: Activation | "tanh"
}

/** The rows of the table of distances that are of one side. */
const spanOf = (c: DebertaConfig): number => c.position_buckets > 0 ? c.position_buckets : c.max_relative_positions

/**
 * The bucket of a distance of a query from its key: the distance itself up to half of the buckets, beyond it logarithmically, in
 * float32 as the models have learned it.
 */
export const bucketOf = (
  { max_relative_positions: most, position_buckets }: DebertaConfig,
  distance: number
): number => {
  const middle = Math.floor(position_buckets / 2)
  const far = Math.abs(distance)
  if (position_buckets === 0 || far <= middle) return distance
  const log = (x: number) => Math.fround(Math.log(Math.fround(x)))
  const ratio = Math.fround(log(far / middle) / log((most - 1) / middle))
  return Math.sign(distance) * (Math.ceil(Math.fround(ratio * (middle - 1))) + middle)
}

/** Rows of the table for the distances -farthest to farthest. */
const rowsOf = (c: DebertaConfig, farthest: number): ReadonlyArray<number> => {
  const span = spanOf(c)
  return Array.from(
    { length: 2 * farthest + 1 },
    (_, i) => Math.min(2 * span - 1, Math.max(0, bucketOf(c, i - farthest) + span))
  )
}

/** The vectors of the distances of n queries from a key, [2n, hidden]: falling from n - 1, or rising from 1 - n. */
interface Distances {
  readonly falling: Tensor
  readonly rising: Tensor
}

const distances = (c: DebertaConfig) => {
  const table = embedding(2 * spanOf(c), c.hidden_size, c.initializer_range)
  const norm = optional(c.norm_rel_ebd, layerNorm(c.hidden_size, c.layer_norm_eps))
  const farthest = c.max_position_embeddings
  const rows = constant(Nd.fromArray([2 * farthest + 1], rowsOf(c, farthest)), "int32")
  return module({ rel_embeddings: table.params, LayerNorm: norm.params }, (p, n: number): Distances => {
    const whole = (value: number) => constant(Nd.scalar(value), "int32")
    const places = iota([2 * n])
    const at = (distance: Tensor) =>
      norm.apply(p.LayerNorm, table.apply(p.rel_embeddings, gather(rows, add(distance, whole(farthest)))))
    return { falling: at(sub(whole(n - 1), places)), rising: at(sub(places, whole(n - 1))) }
  })
}

/** x [b, h, n, 2n] to [b, h, n, n]: of row i the columns n - 1 - i to 2n - 2 - i. */
const skewed = (x: Tensor): Tensor => {
  const [b, h, n] = x.type.shape as readonly [number, number, number, number]
  const flat = slice(reshape(x, [b, h, 2 * n * n]), -1, n - 1, n - 1 + n * (2 * n - 1))
  return slice(reshape(flat, [b, h, n, 2 * n - 1]), -1, 0, n)
}

/** What a layer's attention reads besides hidden states. */
interface View {
  /** [b, 1, 1, n] */
  readonly bias: Tensor
  readonly distances: Distances
}

/** Queries, keys and values: [b, heads, n, d]. */
interface Contents {
  readonly q: Tensor
  readonly k: Tensor
  readonly v: Tensor
}

/** Projections of an attention: of contents, and of distances as keys (for c2p) and as queries (for p2c): [2n, hidden]. */
interface Projections<P extends Params> {
  readonly params: P
  readonly contents: (p: Bound<P>, x: Tensor) => Contents
  readonly keys: (p: Bound<P>, distances: Tensor) => Tensor
  readonly queries: (p: Bound<P>, distances: Tensor) => Tensor
}

/** Version 1: one matrix has the query, key and value of each head in turn; keys have no bias. */
const fused = (c: DebertaConfig) => {
  const { hidden_size: size, initializer_range: std, num_attention_heads: heads } = c
  const d = size / heads
  const [all, key, query] = [linear(size, 3 * size, std), linear(size, size, std), linear(size, size, std, true)]
  const has = (term: PositionTerm) => c.pos_att_type.includes(term)
  const params = {
    in_proj: all.params,
    q_bias: zeros(size),
    v_bias: zeros(size),
    ...(has("c2p") ? { pos_proj: key.params } : {}),
    ...(has("p2c") ? { pos_q_proj: query.params } : {})
  } as { readonly in_proj: typeof all.params } & Params
  return {
    params,
    contents: (p, x) => {
      const [q, k, v] = parts(splitHeads(all.apply(p.in_proj, x), heads), [d, d, d]) as [Tensor, Tensor, Tensor]
      const biased = (own: Tensor, name: string) => add(own, reshape(p[name] as Tensor, [1, heads, 1, d]))
      return { q: biased(q, "q_bias"), k, v: biased(v, "v_bias") }
    },
    keys: (p, own) => key.apply(p["pos_proj"] as Bound<typeof key.params>, own),
    queries: (p, own) => query.apply(p["pos_q_proj"] as Bound<typeof query.params>, own)
  } satisfies Projections<typeof params> as Projections<typeof params>
}

/** Versions 2 and 3: distances by projections of their own, or by those of contents. */
const apart = (c: DebertaConfig) => {
  const project = linear(c.hidden_size, c.hidden_size, c.initializer_range, true)
  const own = (term: PositionTerm) => !c.share_att_key && c.pos_att_type.includes(term)
  const params = {
    query_proj: project.params,
    key_proj: project.params,
    value_proj: project.params,
    ...(own("c2p") ? { pos_key_proj: project.params } : {}),
    ...(own("p2c") ? { pos_query_proj: project.params } : {})
  } as Readonly<Record<string, typeof project.params>>
  const [keys, queries] = c.share_att_key ? ["key_proj", "query_proj"] : ["pos_key_proj", "pos_query_proj"]
  return {
    params,
    contents: (p, x) => {
      const [q, k, v] = ["query_proj", "key_proj", "value_proj"].map((name) =>
        splitHeads(project.apply(p[name]!, x), c.num_attention_heads)
      ) as [Tensor, Tensor, Tensor]
      return { q, k, v }
    },
    keys: (p, distances) => project.apply(p[keys!]!, distances),
    queries: (p, distances) => project.apply(p[queries!]!, distances)
  } satisfies Projections<typeof params> as Projections<typeof params>
}

/**
 * Disentangled attention (He et al. 2021, eq. 4): of query i and key j, whose contents are q and k and whose distance has the key K
 * and the query Q, the score is (q·k + q·K + k·Q) / √(d · terms).
 */
const disentangled = <P extends Params>(c: DebertaConfig, site: number, projections: Projections<P>) =>
  module(projections.params as Params, (own, x: Tensor, { bias, distances }: View, key?: Tensor) => {
    const p = own as Bound<P>
    const { k, q, v } = projections.contents(p, x)
    const [b, heads, , d] = q.type.shape as readonly [number, number, number, number]
    const terms = 1 + c.pos_att_type.length
    const spread = (rows: Tensor) => {
      const split = splitHeads(reshape(rows, [1, ...rows.type.shape]), heads)
      return expand(split, [b, ...split.type.shape.slice(1)])
    }
    const scores = (from: Tensor, rows: Tensor) =>
      skewed(matmul(from, spread(rows), false, true, 1 / Math.sqrt(d * terms)))
    const dropped = (vectors: Tensor) => dropout(vectors, key, c.hidden_dropout_prob, site)
    const byDistance: Readonly<Record<PositionTerm, () => Tensor>> = {
      c2p: () => scores(q, projections.keys(p, dropped(distances.falling))),
      p2c: () => transpose(scores(k, projections.queries(p, dropped(distances.rising))), [0, 1, 3, 2])
    }
    const biases = c.pos_att_type.map((term) => byDistance[term]()).reduce(add, bias)
    return mergeHeads(attend(scale(q, 1 / Math.sqrt(terms)), k, v, biases))
  })

/** x [b, n, ·] with what stands `by` places further on at each place, 0 beyond the ends. */
const moved = (x: Tensor, by: number): Tensor => {
  const n = x.type.shape[1]!
  const kept = Math.max(0, n - Math.abs(by))
  if (kept === 0) return scale(x, 0)
  return by >= 0 ? pad(slice(x, 1, by, n), 1, 0, by) : pad(slice(x, 1, 0, kept), 1, -by, 0)
}

/** A convolution over the embeddings, added to the first layer's output: masked tokens count as 0. */
const convolution = (c: DebertaConfig, site: number) => {
  const { conv_kernel_size: taps, hidden_size: size } = c
  const norm = layerNorm(size, c.layer_norm_eps)
  const act = c.conv_act === "tanh" ? tanh : activations[c.conv_act]
  const params = {
    conv: { weight: normal([size, size, taps], c.initializer_range), bias: zeros(size) },
    LayerNorm: norm.params
  }
  return module(params, (p, embedded: Tensor, x: Tensor, mask: Tensor, key?: Tensor) => {
    const [b, n] = mask.type.shape as [number, number]
    const real = reshape(float(mask), [b, n, 1])
    const seen = mul(embedded, real)
    const parts = Array.from({ length: taps }, (_, tap) => {
      const weight = reshape(slice(p.conv.weight, 2, tap, tap + 1), [size, size])
      return matmul(reshape(moved(seen, tap - (taps - 1) / 2), [b * n, size]), weight, false, true)
    })
    const found = mul(reshape(add(parts.reduce(add), p.conv.bias), [b, n, size]), real)
    return norm.apply(p.LayerNorm, add(x, act(dropout(found, key, c.hidden_dropout_prob, site))))
  })
}

/** Last hidden states: [b, n, hidden]; those of masked tokens mean nothing. */
export const deberta = (c: DebertaConfig) => {
  const words = embedding(c.vocab_size, c.hidden_size, c.initializer_range)
  const norm = layerNorm(c.hidden_size, c.layer_norm_eps)
  const apartBy = distances(c)
  const first = 2 * c.num_hidden_layers + 1
  const attention = (i: number): Module<Params, [x: Tensor, view: View, key?: Tensor], Tensor> =>
    c.model_type === "deberta" ? disentangled(c, first + i, fused(c)) : disentangled(c, first + i, apart(c))
  const layers = repeat(c.num_hidden_layers, (i) => layerAround(c, i, attention(i)))
  const conv = convolution(c, first + c.num_hidden_layers)
  const hasConv = c.conv_kernel_size > 0
  const params = {
    embeddings: { word_embeddings: words.params, LayerNorm: norm.params },
    encoder: { layer: listParams(layers), ...apartBy.params, ...(hasConv ? { conv: conv.params } : {}) }
  }
  return module(params, (p, { ids, key, mask }: EncoderInput) => {
    const view = { bias: keyBias(mask), distances: apartBy.apply(p.encoder, ids.type.shape[1]!) }
    const found = norm.apply(p.embeddings.LayerNorm, words.apply(p.embeddings.word_embeddings, ids))
    const embedded = dropout(found, key, c.hidden_dropout_prob, 0)
    return layers.reduce((x, block, i) => {
      const y = block.apply(p.encoder.layer[String(i)]!, saved(x), view, key)
      return i === 0 && hasConv ? conv.apply(p.encoder.conv!, embedded, y, mask, key) : y
    }, embedded)
  })
}
