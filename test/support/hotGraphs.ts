/** The graphs that a run is made of, small: steps, their parts, judging, encoding and searching, in all their forms. */
import type { Half } from "../../src/kernels/half.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { quantised } from "../../src/kernels/nn/quantised.ts"
import { stored } from "../../src/kernels/nn/stored.ts"
import type { Graph } from "../../src/kernels/onnx/encode.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { gradScaler } from "../../src/kernels/optim/gradScaler.ts"
import type { Blocks } from "../../src/kernels/quantise.ts"
import { repeated } from "../../src/kernels/repeat.ts"
import type { Steps } from "../../src/kernels/Step.ts"
import * as ReaderGraphs from "../../src/runtime/language/graphs.ts"
import * as RetrieverGraphs from "../../src/runtime/retrieval/dense/graphs.ts"
import { search } from "../../src/runtime/retrieval/indexes/search.ts"
import { decoder, encoder, retriever, steps } from "./steps.ts"

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-3 })
const learning = { optimizer, maxGradNorm: 1 }
const isLora = (path: string) => path.includes(".lora_")
const shape = { rows: 2, length: 6, supervised: 5 }
const [targets, dropout] = [
  [...flatten(decoder.params)].filter(([, { lookup, shape }]) => shape.length > 1 && !lookup)
    .map(([path]) => [path.replace(/\.weight$/, ""), { r: 2, scaling: 2 }] as const),
  0.3
]
/** A reader that learns by adapters, whose other weights are stored in `type`. */
const adapted = (type: Half | Blocks | undefined) => {
  const module = adapt(decoder, { targets: new Map(targets), dropout })
  if (typeof type === "object") {
    return quantised(module, (path, { shape }) => shape.length === 2 && !isLora(path) ? type : undefined)
  }
  return type === undefined ? module : stored(module, (path) => isLora(path) ? undefined : type)
}
const modern = colbert({
  vocab_size: 12,
  hidden_size: 8,
  intermediate_size: 5,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 8,
  initializer_range: 0.5,
  model_type: "modernbert",
  dim: 3,
  norm_eps: 1e-6,
  norm_bias: false,
  attention_bias: false,
  mlp_bias: false,
  hidden_activation: "gelu",
  embedding_dropout: 0.1,
  mlp_dropout: 0.1,
  layer_types: ["full_attention", "sliding_attention"],
  rope_parameters: {
    full_attention: { rope_type: "default", rope_theta: 1000 },
    sliding_attention: { rope_type: "default", rope_theta: 100 }
  },
  local_attention: 4
})

const inParts = (name: string, { norm, part, update }: Steps) => [
  [`${name}, part`, part()],
  [`${name}, norm`, norm()],
  ...update().map((graph, i) => [`${name}, update ${i}`, graph])
]

/** By name; frozen weights stored in `type`. */
export const hotGraphs = (type: Half | Blocks | undefined): Readonly<Record<string, Graph>> => {
  const options = { ...learning, shape, shifted: false, group: (path: string) => isLora(path) ? "decay" : undefined }
  const reader = ReaderGraphs.lesson(adapted(type), options)
  const scaled = ReaderGraphs.lesson(adapted(type), { ...options, scaler: gradScaler })
  const whole = { ...learning, group: () => "all" }
  const retrieving = RetrieverGraphs.lesson(modern, { ...retriever, ...whole, objective: { _tag: "Listwise" } })
  return {
    ...Object.fromEntries(Object.entries(steps(optimizer, 1)).map(([name, [graph]]) => [name, graph])),
    ...Object.fromEntries(
      Object.entries(steps(optimizer, 1, true)).map(([name, [graph]]) => [`${name}, checkpointed`, graph])
    ),
    "the reader's adapters": reader.whole(),
    "the reader's adapters, four steps": repeated(reader.whole(), 4),
    ...Object.fromEntries(inParts("the reader's adapters", reader)),
    "the reader's adapters, loss scaled": scaled.whole(),
    "the reader's adapters, loss scaled, four steps": repeated(scaled.whole(), 4),
    ...Object.fromEntries(inParts("the reader's adapters, loss scaled", scaled)),
    "a ModernBERT retriever": retrieving.whole(),
    "the reader's judgement": ReaderGraphs.score(adapted(type), shape),
    "the retriever's scores": RetrieverGraphs.score(encoder, retriever.shape),
    "passages": RetrieverGraphs.encode(encoder, 2, 5),
    "passages of a ModernBERT": RetrieverGraphs.encode(modern, 2, 5),
    "a search": search(2, 4, 5, 6, 3)
  }
}
