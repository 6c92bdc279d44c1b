/** Likelihoods of many tokens, a chunk's logits at a time. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, flatten, inputs } from "../../src/kernels/nn/Module.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul } from "../../src/kernels/op/elementwise.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { input, type Tensor, topological } from "../../src/kernels/Tensor.ts"

const VOCABULARY = 11
const [rows, length] = [150, 9]
const decoder = causalLm({
  vocab_size: VOCABULARY,
  hidden_size: 4,
  intermediate_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 100 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0,
  initializer_range: 1
})
const params = inputs(decoder.params)
const batch = {
  ids: input("ids", [rows, length], "int32"),
  positions: input("positions", [rows, length], "int32"),
  branches: input("branches", [rows, length], "int32")
}
const targets = input("targets", [rows * length], "int32")
const bound = bind(decoder.params, (path) => params.get(path)!)
const chunked = decoder.apply(bound, { ...batch, targets })
const whole = crossEntropy(decoder.apply(bound, batch), targets)

/** Tells tokens apart: each weighs differently. */
const loss = (nll: Tensor) => sumAll(mul(nll, input("weights", [rows * length])))
const outputs = (
  nll: Tensor,
  checkpointing: boolean
) => [nll, ...grad(loss(nll), [...params.values()], { checkpointing })]

const feeds = {
  ids: Nd.make([rows, length], (_, i) => (i * i + 3) % VOCABULARY),
  positions: Nd.make([rows, length], ([_, n]) => n!),
  branches: Nd.make([rows, length], () => 0),
  targets: Nd.make([rows * length], (_, i) => (i * 7 + 1) % VOCABULARY),
  weights: Nd.make([rows * length], (_, i) => Math.sin(i)),
  ...Object.fromEntries(
    [...flatten(decoder.params)].map((
      [path, { shape }],
      k
    ) => [path, Nd.make(shape, (_, i) => Math.cos(1 + i + 5 * k))])
  )
}
const most = (all: ReadonlyArray<Tensor>): number =>
  Math.max(
    ...topological(all).filter(({ type: { shape } }) => shape.length === 2 && shape[1] === VOCABULARY).map((t) =>
      t.type.shape[0]!
    )
  )

describe("likelihoods of many tokens", () => {
  const want = interpret(outputs(whole, false), feeds)
  for (const checkpointing of [false, true]) {
    it(`are those of all logits at once, and their gradients${checkpointing ? ", checkpointed" : ""}`, () => {
      interpret(outputs(chunked, checkpointing), feeds).forEach((got, k) =>
        want[k]!.data.forEach((x, i) => assert.closeTo(got.data[i]!, x, 1e-10 * Math.max(1, Math.abs(x)), `${k}[${i}]`))
      )
    })
  }
  it("have the logits of 1024 rows at most", () => {
    assert.strictEqual(most(outputs(whole, false)), rows * length)
    assert.strictEqual(most(outputs(chunked, true)), 1024)
  })
})
