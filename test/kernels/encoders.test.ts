/** Encoders whose checkpoints have names of their own: with adapters under these, and the same without. */
import { assert, describe, it } from "@effect/vitest"
import * as Key from "../../src/domain/Key.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { type BertConfig, bertTypes, type EncoderInput } from "../../src/kernels/nn/bert.ts"
import { encoder, roots } from "../../src/kernels/nn/encoders.ts"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { bind, flatten, inputs, type Module, type Params } from "../../src/kernels/nn/Module.ts"
import { input, type Tensor } from "../../src/kernels/Tensor.ts"

const config = (model_type: BertConfig["model_type"]): BertConfig => ({
  model_type,
  vocab_size: 9,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 5,
  first_position: model_type === "bert" ? 0 : 2,
  type_vocab_size: model_type === "mpnet" || model_type === "distilbert" ? 0 : 1,
  ...(model_type === "mpnet" ? { relative_attention_num_buckets: 32 } : {}),
  layer_norm_eps: 1e-5,
  hidden_dropout_prob: 0,
  initializer_range: 1
})
/** Where the query's weights lie, by type. */
const queries: Partial<Record<BertConfig["model_type"], string>> = {
  distilbert: "transformer.layer.0.attention.q_lin",
  mpnet: "encoder.layer.0.attention.attn.q"
}

type Encoder = Module<Params, [EncoderInput], Tensor>

/** What it computes in float64 with weights drawn by their paths. */
const computed = (model: Encoder): ReadonlyArray<number> => {
  const own = inputs(model.params)
  const [ids, mask] = [input("ids", [1, 4], "int32"), input("mask", [1, 4], "bool")]
  const hidden = model.apply(bind(model.params, (path) => own.get(path)!), { ids, mask })
  const values = Object.fromEntries([...flatten(model.params)].map(([path, { shape }]) => {
    const key = Key.fold(Key.make(5), path)
    return [path, Nd.make(shape, (_, i) => 0.5 * Key.normal(key, i))]
  }))
  const given = { ...values, ids: Nd.fromArray([1, 4], [3, 1, 4, 1]), mask: Nd.fromArray([1, 4], [1, 1, 1, 0]) }
  return [...interpret([hidden], given)[0]!.data]
}

describe("BERT and its relatives", () => {
  for (const type of bertTypes) {
    it(`${type} learns by adapters under its checkpoints' names`, () => {
      const plain = encoder(config(type)) as Encoder
      const path = `${roots[type]}.${queries[type] ?? "encoder.layer.0.attention.self.query"}`
      assert.isTrue(flatten(plain.params).has(`${path}.weight`), path)
      const adapted = adapt(plain, { targets: new Map([[path, { r: 1, scaling: 50 }]]), dropout: 0 }) as Encoder
      const more = [...flatten(adapted.params).keys()].filter((name) => !flatten(plain.params).has(name))
      assert.deepStrictEqual(more, [`${path}.lora_A.weight`, `${path}.lora_B.weight`])
      const apart = computed(adapted).map((x, i) => Math.abs(x - computed(plain)[i]!))
      assert.isAbove(Math.max(...apart), 1e-3)
    })
  }
})
