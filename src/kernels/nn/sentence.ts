/** One vector per text (Reimers & Gurevych 2019): hidden states, pooled, through dense layers, truncated, of unit length. */
import { reshape, sum } from "../op/broadcast.ts"
import { matmul } from "../op/contract.ts"
import { add, div, float, gelu, mul, sigmoid, silu, sqrt, tanh } from "../op/elementwise.ts"
import { concat, slice } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import { l2Normalise } from "../op/normalise.ts"
import { equal, max, penalise, reduceMax, reduceMin, relu, where } from "../op/select.ts"
import { scalar, type Tensor } from "../Tensor.ts"
import type { EncoderInput } from "./bert.ts"
import { type AnyEncoder, encoder } from "./encoders.ts"
import { linear } from "./layers.ts"
import { type Module, module, type Params } from "./Module.ts"

/** How hidden states become one vector, by sentence-transformers' names. */
export const poolings = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"] as const
/** One of `poolings`. */
export type Pooling = typeof poolings[number]

/** Activations of dense layers, by the last part of PyTorch's names. */
export const denseActivations = {
  Identity: (x: Tensor): Tensor => x,
  Tanh: tanh,
  ReLU: relu,
  GELU: gelu,
  SiLU: silu,
  Sigmoid: sigmoid
}

/** A dense layer behind the pooling. */
export interface DenseLayer {
  /** Its folder: "2_Dense". */
  readonly name: string
  readonly from: number
  readonly to: number
  readonly bias: boolean
  readonly activation: keyof typeof denseActivations
}

/** What follows the hidden states. */
export interface SentenceHead {
  /** Several are concatenated. */
  readonly pooling: ReadonlyArray<Pooling>
  readonly dense: ReadonlyArray<DenseLayer>
  /** Only so many numbers of the vector are kept; 0 for all. */
  readonly truncate: number
  /** Whether vectors have unit length, so that dot products are cosines. */
  readonly normalise: boolean
}
/** The config of a single-vector encoder. */
export type SentenceConfig = AnyEncoder & SentenceHead

/** Input of a single-vector encoder: b texts of n tokens, padded at their ends. */
export interface SentenceInput extends EncoderInput {
  /** bool [b, n]: the tokens that are pooled; by default those of `mask`. */
  readonly keep?: Tensor | undefined
}
/** A single-vector encoder: [b, n] -> [b, 1, size]. */
export type SentenceEncoder = Module<Params, [SentenceInput], Tensor>

/** A row of weights as a product with the hidden states: [b, n], [b, n, h] -> [b, h]. */
const weighed = (weights: Tensor, hidden: Tensor): Tensor => {
  const [b, n, h] = hidden.type.shape as readonly [number, number, number]
  return reshape(matmul(reshape(weights, [b, 1, n]), hidden), [b, h])
}

/** 1 at the position that each row names, else 0: float32 [b, n]. */
const oneHot = (positions: Tensor, at: Tensor): Tensor => float(equal(positions, at))

/** Positions beyond any sequence, for tokens that do not count. */
const FAR = 2 ** 24

/** Pools hidden states [b, n, h] over the tokens of `keep`, bool [b, n], at least one per row -> [b, h]. */
export const pool = (mode: Pooling, hidden: Tensor, keep: Tensor): Tensor => {
  const [b, n] = keep.type.shape as readonly [number, number]
  const [counts, positions] = [float(keep), float(iota([1, n]))]
  const total = (weights: Tensor) => max(sum(weights, [1], true), scalar(1e-9))
  switch (mode) {
    case "cls":
      return weighed(oneHot(positions, reduceMin(where(keep, positions, scalar(FAR)), 1, true)), hidden)
    case "lasttoken":
      return weighed(oneHot(positions, reduceMax(where(keep, positions, scalar(-1)), 1, true)), hidden)
    case "max":
      return reduceMax(add(hidden, penalise(reshape(keep, [b, n, 1]), -1e9)), 1)
    case "mean":
      return weighed(div(counts, total(counts)), hidden)
    case "mean_sqrt_len_tokens":
      return weighed(div(counts, sqrt(total(counts))), hidden)
    case "weightedmean": {
      const weights = mul(counts, add(positions, scalar(1)))
      return weighed(div(weights, total(weights)), hidden)
    }
  }
}

/** Numbers of a vector before it is truncated. */
const widthOf = ({ dense, hidden_size, pooling }: SentenceConfig): number =>
  dense.at(-1)?.to ?? hidden_size * pooling.length

/** Size of a text's vector. */
export const sentenceSize = (c: SentenceConfig): number =>
  c.truncate === 0 ? widthOf(c) : Math.min(c.truncate, widthOf(c))

/** act(W x + b): [b, from] -> [b, to]. */
const denseLayer = ({ activation, bias, from, to }: DenseLayer, std: number) => {
  const inner = linear(from, to, std, bias)
  return module({ linear: inner.params }, (p, x: Tensor) => denseActivations[activation](inner.apply(p.linear, x)))
}

/** One vector per text: [b, n] -> [b, 1, size]. */
export const sentence = (c: SentenceConfig): SentenceEncoder => {
  const model = encoder(c)
  const dense = c.dense.map((layer) => [layer.name, denseLayer(layer, c.initializer_range)] as const)
  const size = sentenceSize(c)
  const params = { ...model.params, ...Object.fromEntries(dense.map(([name, { params }]) => [name, params])) }
  return module(params, (p, { keep, ...input }: SentenceInput) => {
    const hidden = model.apply(p as never, input)
    const pooled = concat(c.pooling.map((mode) => pool(mode, hidden, keep ?? input.mask)), 1)
    const mapped = dense.reduce((x, [name, layer]) => layer.apply(p[name] as never, x), pooled)
    const cut = size === mapped.type.shape[1] ? mapped : slice(mapped, 1, 0, size)
    return reshape(c.normalise ? l2Normalise(cut) : cut, [-1, 1, size])
  }) as unknown as SentenceEncoder
}
