/**
 * The graphs of the joint step as text, so that a change of them is read as a change of lines: models of one layer, of
 * which the weight that the longest gradient leads to learns, and the head. `vitest run -u` writes them anew.
 */
import { describe, it } from "@effect/vitest"
import { join } from "node:path"
import { colbert } from "../../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../../src/kernels/nn/decoder.ts"
import type { Graph } from "../../../src/kernels/onnx/encode.ts"
import { adamw } from "../../../src/kernels/optim/adamw.ts"
import { show } from "../../../src/kernels/show.ts"
import * as ReaderGraphs from "../../../src/runtime/language/graphs.ts"
import * as RetrieverGraphs from "../../../src/runtime/retrieval/dense/graphs.ts"
import { search } from "../../../src/runtime/retrieval/indexes/search.ts"

const sizes = {
  vocab_size: 20,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.02
}
const encoder = colbert({
  ...sizes,
  model_type: "bert",
  dim: 3,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1
})
const decoder = causalLm({
  ...sizes,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: false,
  hidden_dropout_prob: 0
})

const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })
const learning = (...paths: ReadonlyArray<string>) => ({
  optimizer,
  maxGradNorm: 1,
  group: (path: string) => paths.includes(path) ? "decay" : undefined
})
const shape = { questions: 2, queryLength: 5, passages: 3, passageLength: 6 }
const retriever = { shape, n: 3, temperature: 0.5, weight: 2 }
const key = "bert.encoder.layer.0.attention.self.key.weight"

const graphs: Readonly<Record<string, Graph>> = {
  "retriever-by-pairs": RetrieverGraphs.learn(encoder, {
    ...retriever,
    objective: { _tag: "Pairwise", m: 2 },
    ...learning("linear.weight")
  }),
  "retriever-by-target": RetrieverGraphs.learn(encoder, {
    ...retriever,
    objective: { _tag: "Listwise" },
    ...learning(key)
  }),
  "reader": ReaderGraphs.learn(decoder, {
    shape: { rows: 2, length: 6, supervised: 4 },
    shifted: false,
    ...learning("model.layers.0.self_attn.k_proj.weight", "lm_head.weight")
  }),
  "reader-score": ReaderGraphs.score(decoder, { rows: 2, length: 6, supervised: 4 }),
  "search": search(2, 5, 3, 6, 3)
}

const listing = ({ inputs, name, outputs }: Graph): string =>
  [
    name,
    `inputs ${Object.keys(inputs).join(" ")}`,
    `outputs ${Object.keys(outputs).join(" ")}`,
    show(Object.values(outputs)),
    ""
  ].join("\n")

describe("the graphs of a step", () => {
  for (const [name, graph] of Object.entries(graphs)) {
    it(`are as they were: ${name}`, ({ expect }) =>
      expect(listing(graph)).toMatchFileSnapshot(join(import.meta.dirname, "graphs", `${name}.txt`)))
  }
})
