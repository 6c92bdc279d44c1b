/** Pictures in a decoder: what features in place of embeddings mean, and their gradient. */
import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { causalLm, type Decoder, type DecoderConfig, type DecoderInput } from "../../src/kernels/nn/decoder.ts"
import { bind, flatten } from "../../src/kernels/nn/Module.ts"
import { connector, shuffled } from "../../src/kernels/nn/pictures/reading.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { mul } from "../../src/kernels/op/elementwise.ts"
import { constant, input, type Tensor } from "../../src/kernels/Tensor.ts"

const config: DecoderConfig = {
  vocab_size: 7,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 100 },
  tie_word_embeddings: false,
  hidden_dropout_prob: 0,
  initializer_range: 0.02
}

const value = (i: number): number => Math.sin(1 + 2.7 * i)
const boundOf = (c: DecoderConfig) => {
  const decoder: Decoder = causalLm(c)
  const values = new Map([...flatten(decoder.params)].map(([path, { shape }], k) => [
    path,
    Nd.make(shape, (_, i) => value(i + 100 * k))
  ]))
  return { decoder, values, bound: bind(decoder.params, (path) => constant(values.get(path)!)) }
}

const int32 = (shape: ReadonlyArray<number>, data: ReadonlyArray<number>) =>
  constant(Nd.fromArray(shape, data), "int32")
/** Two rows of four tokens; the second and third of the first, and the first of the second, are of pictures. */
const tokens = {
  ids: int32([2, 4], [1, 6, 6, 2, 6, 3, 4, 5]),
  positions: int32([2, 4], [0, 1, 2, 3, 0, 1, 2, 3]),
  branches: int32([2, 4], [0, 0, 0, 0, 0, 0, 1, 2])
}
const places = int32([2, 4], [-1, 2, 0, -1, 1, -1, -1, -1])
const probe = (x: Tensor): Tensor => sumAll(mul(x, constant(Nd.make(x.type.shape, (_, i) => Math.cos(1 + 3 * i)))))
const run = (outputs: ReadonlyArray<Tensor>, feeds: Readonly<Record<string, Nd.NdArray>> = {}) =>
  interpret(outputs, feeds).map(({ data }) => Array.from(data))

describe("features in a decoder", () => {
  for (
    const [name, traits] of Object.entries({
      llama: {},
      gemma: { gemma: true },
      gemma3: { gemma: true, post_norms: true }
    })
  ) {
    it(`have the gradient of central differences: ${name}`, () => {
      const { bound, decoder } = boundOf({ ...config, ...traits })
      const features = input("features", [3, 4])
      const loss = probe(decoder.apply(bound, { ...tokens, features, places }))
      const at = Nd.make([3, 4], (_, i) => value(i + 7))
      const [analytic] = run(grad(loss, [features]), { features: at })
      const near = (i: number, by: number): number =>
        run([loss], { features: { shape: [3, 4], data: at.data.with(i, at.data[i]! + by) } })[0]![0]!
      const slope = (i: number, h: number): number => (near(i, h) - near(i, -h)) / (2 * h)
      analytic!.forEach((own, i) => {
        const numeric = (4 * slope(i, 5e-4) - slope(i, 1e-3)) / 3
        assert.approximately(own, numeric, 1e-8 * Math.max(1, Math.abs(numeric)), `element ${i}`)
      })
    })
  }
  it("that are rows of the embedding table are those words, and words elsewhere keep their gradient", () => {
    const { bound, decoder, values } = boundOf(config)
    const table = values.get("model.embed_tokens.weight")!
    const rows = [4, 5, 1]
    const features = constant(Nd.make([3, 4], ([r, d]) => table.data[rows[r!]! * 4 + d!]!))
    const words: DecoderInput = { ...tokens, ids: int32([2, 4], [1, 1, 4, 2, 5, 3, 4, 5]) }
    const [seen, read] = run([
      decoder.apply(bound, { ...tokens, features, places }),
      decoder.apply(bound, words)
    ])
    assert.deepStrictEqual(seen, read)
    const embeddings = input("table", [7, 4])
    const own = { ...bound, model: { ...bound.model, embed_tokens: { weight: embeddings } } }
    const [slope] = run(grad(probe(decoder.apply(own, { ...tokens, features, places })), [embeddings]), { table })
    assert.deepStrictEqual(slope!.slice(6 * 4), [0, 0, 0, 0], "the id under a picture")
    assert.isTrue(slope!.slice(4, 8).some((x) => x !== 0))
  })
})

describe("a connector", () => {
  it("makes a row of each square of patches", () => {
    const grid = constant(Nd.make([1, 16, 1], (_, i) => i))
    assert.deepStrictEqual(run([shuffled(grid, [4, 4], 2)])[0], [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15])
    const wide = constant(Nd.make([1, 8, 2], (_, i) => i))
    assert.deepStrictEqual(run([shuffled(wide, [2, 4], 2)])[0], [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15])
  })
  it("is an MLP of two layers, or one product, under its checkpoint's names", () => {
    const both = (kind: "mlp" | "linear", bias: boolean) =>
      [...flatten(connector({ kind, bias, from: 6, to: 4, hidden_act: "gelu", initializer_range: 1 }, "x.").params)]
        .map(([path, { shape }]) => `${path} ${shape.join()}`)
    assert.deepStrictEqual(both("mlp", true), [
      "x.linear_1.weight 4,6",
      "x.linear_1.bias 4",
      "x.linear_2.weight 4,4",
      "x.linear_2.bias 4"
    ])
    assert.deepStrictEqual(both("linear", false), ["x.modality_projection.proj.weight 4,6"])
  })
})
