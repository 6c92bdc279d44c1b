/** Both models' whole steps, small, with batches for them: padding, branches, dropout and all. */
import * as Key from "../../src/domain/Key.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import type { Graph } from "../../src/kernels/onnx/encode.ts"
import type { GradScaler } from "../../src/kernels/optim/gradScaler.ts"
import type { Optimizer } from "../../src/kernels/optim/Optimizer.ts"
import * as ReaderGraphs from "../../src/runtime/language/graphs.ts"
import * as RetrieverGraphs from "../../src/runtime/retrieval/dense/graphs.ts"

const sizes = {
  vocab_size: 12,
  hidden_size: 4,
  intermediate_size: 5,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 8,
  initializer_range: 0.5
}
export const encoder = colbert({
  ...sizes,
  model_type: "bert",
  dim: 3,
  type_vocab_size: 2,
  layer_norm_eps: 1e-6,
  hidden_dropout_prob: 0.2
})
export const decoder = causalLm({
  ...sizes,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 100 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0.2
})
const shape = { questions: 2, queryLength: 4, passages: 4, passageLength: 5 }
export const retriever = { shape, n: 3, temperature: 0.7, weight: 1.5 }

export type Values = Record<string, Nd.NdArray>

const ints = (shape: ReadonlyArray<number>, f: (i: number) => number) => Nd.make(shape, (_, i) => f(i))
const retrieverBatch = (wanted: Nd.NdArray): Values => ({
  queryIds: ints([2, 4], (i) => (i * 5 + 1) % 12),
  queryMask: ints([2, 4], (i) => i % 4 < 3 ? 1 : 0),
  docIds: ints([4, 5], (i) => (i * 7 + 2) % 12),
  docMask: ints([4, 5], (i) => i % 5 < 4 ? 1 : 0),
  docKeep: ints([4, 5], (i) => i % 5 < 4 && i % 3 > 0 ? 1 : 0),
  places: ints([2, 3], (i) => [0, 2, 3, 1, 2, 0][i]!),
  key: Nd.scalar(77),
  wanted
})
const readerBatch: Values = {
  ids: ints([2, 6], (i) => (i * 5 + 3) % 12),
  positions: ints([2, 6], (i) => i % 6 < 4 ? i % 6 : i % 6 - 2),
  branches: ints([2, 6], (i) => [0, 0, 1, 1, 2, 2, 0, 0, 0, 0, -1, -1][i]!),
  rows: ints([5], (i) => [1, 2, 4, 7, 8][i]!),
  targets: ints([5], (i) => (i * 3 + 1) % 12),
  weights: Nd.make([5], (_, i) => 0.2 + 0.1 * i),
  key: Nd.scalar(-6)
}

const shiftedBatch: Values = {
  ...readerBatch,
  ids: ints([2, 8], (i) => (i * 5 + 3) % 12),
  positions: ints([2, 8], (i) => i % 8),
  branches: ints([2, 8], (i) => i < 14 ? 0 : -1)
}

/** A step by name: its graph, where every parameter learns, and a batch. */
export const steps = (
  optimizer: Optimizer,
  maxGradNorm: number,
  checkpointing = false,
  scaler?: GradScaler
): Readonly<Record<string, readonly [Graph, Values]>> => {
  const learning = { optimizer, maxGradNorm, checkpointing, scaler, group: () => "all" }
  return {
    "the retriever by pairs": [
      RetrieverGraphs.learn(encoder, { ...retriever, ...learning, objective: { _tag: "Pairwise", m: 3 } }),
      retrieverBatch(ints([2, 3, 3], (i) => [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0][i]!))
    ],
    "the retriever by target": [
      RetrieverGraphs.learn(encoder, { ...retriever, ...learning, objective: { _tag: "Listwise" } }),
      retrieverBatch(Nd.fromArray([2, 3], [0.2, 0.5, 0.3, 1, 0, 0]))
    ],
    "the reader": [
      ReaderGraphs.learn(decoder, { shape: { rows: 2, length: 6, supervised: 5 }, shifted: false, ...learning }),
      readerBatch
    ],
    "the reader in shifted groups": [
      ReaderGraphs.learn(decoder, { shape: { rows: 2, length: 8, supervised: 5 }, shifted: true, ...learning }),
      shiftedBatch
    ]
  }
}

export const isParam = (name: string): boolean => name.startsWith("param/")
/** Values of a graph's parameters. */
export const drawn = ({ inputs }: Graph, seed: string, scale: number): Values =>
  Object.fromEntries(
    Object.entries(inputs).filter(([name]) => isParam(name)).map(([name, t]) => {
      const key = Key.fold(Key.make(1), seed, name)
      return [name, Nd.make(t.type.shape, (_, i) => scale * Key.normal(key, i))]
    })
  )
