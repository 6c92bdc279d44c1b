import { assert, describe, it } from "@effect/vitest"
import { grad } from "../../src/kernels/grad.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { activations } from "../../src/kernels/nn/layers.ts"
import { flatten, module, normal } from "../../src/kernels/nn/Module.ts"
import { cubicWeights, interpolated } from "../../src/kernels/nn/pictures/positions.ts"
import { imageEncoder, type VisionConfig } from "../../src/kernels/nn/pictures/vision.ts"
import { spelled } from "../../src/kernels/nn/spelled.ts"
import { sumAll } from "../../src/kernels/op/broadcast.ts"
import { add } from "../../src/kernels/op/elementwise.ts"
import { constant, input } from "../../src/kernels/Tensor.ts"

const near = (got: ArrayLike<number>, want: ReadonlyArray<number>, tolerance = 1e-5) => {
  assert.strictEqual(got.length, want.length)
  want.forEach((x, i) => assert.approximately(got[i]!, x, tolerance, `element ${i}`))
}

describe("quick_gelu", () => {
  it("and its slope have PyTorch's values", () => {
    const x = input("x", [5])
    const y = activations.quick_gelu(x)
    const at = (values: ReadonlyArray<number>) => ({ x: Nd.fromArray([5], values) })
    near(interpret([y], at([-2, -1, 0, 1, 2]))[0]!.data, [-0.064341, -0.154204, 0, 0.845796, 1.935659])
    const slope = interpret(grad(sumAll(y), [x]), at([-2, -1, 0.5, 2, 0]))[0]!.data
    near(slope, [-0.073815, -0.06778, 0.879222, 1.073815, 0.5])
  })
})

describe("interpolated positions", () => {
  it("have PyTorch's weights along an axis", () => {
    near(cubicWeights(3, 4).data, [
      1.071777,
      -.071777,
      0,
      .360352,
      .749512,
      -.109863,
      -.109863,
      .749512,
      .360352,
      0,
      -.071777,
      1.071777
    ], 1e-6)
  })
  it("have PyTorch's values on a grid", () => {
    const own = constant(Nd.make([9, 1], ([k]) => k! ** 1.5))
    near(interpret([interpolated(own, [3, 3], [4, 4])], {})[0]!.data, [
      -.43545,
      -.006353,
      1.217107,
      2.353224,
      2.133366,
      3.301279,
      5.479869,
      7.099102,
      8.948795,
      10.943458,
      14.250119,
      16.48579,
      15.099198,
      17.412735,
      21.207451,
      23.748634
    ], 1e-4)
  })
  it("are the positions themselves on their own grid, and constant where they are constant", () => {
    const own = constant(Nd.make([6, 2], () => 3))
    assert.strictEqual(interpolated(own, [2, 3], [2, 3]), own)
    near(interpret([interpolated(own, [2, 3], [5, 2])], {})[0]!.data, Array.from({ length: 20 }, () => 3), 1e-9)
  })
})

describe("a module under other names", () => {
  it("computes the same with its parameters elsewhere", () => {
    const inner = module({ a: { x: normal([1], 1) }, b: normal([1], 1) }, (p) => add(p.a.x, add(p.b, p.b)))
    const outer = spelled(inner, (path) => path === "b" ? "c.deep.d" : `c.${path}`)
    assert.deepStrictEqual([...flatten(outer.params).keys()], ["c.a.x", "c.deep.d"])
    const value = (x: number) => constant(Nd.fromArray([1], [x]))
    const bound = { c: { a: { x: value(1) }, deep: { d: value(5) } } }
    assert.deepStrictEqual([...interpret([outer.apply(bound as never)], {})[0]!.data], [11])
  })
})

const base: VisionConfig = {
  model_type: "vit",
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-6,
  initializer_range: 0.02,
  patch_size: 2,
  num_channels: 3,
  positions: [2, 2],
  projection_dim: 0
}

describe("an encoder of pictures", () => {
  it("has the names and shapes of each family's checkpoints", () => {
    const shapes = (change: Partial<VisionConfig>) =>
      Object.fromEntries([...flatten(imageEncoder({ ...base, ...change }).params)].map(([path, p]) => [path, p.shape]))
    const vit = shapes({})
    assert.deepStrictEqual(vit["embeddings.cls_token"], [1, 1, 4])
    assert.deepStrictEqual(vit["embeddings.position_embeddings"], [1, 5, 4])
    assert.deepStrictEqual(vit["embeddings.patch_embeddings.projection.weight"], [4, 3, 2, 2])
    assert.deepStrictEqual(vit["encoder.layer.0.attention.attention.query.bias"], [4])
    assert.notProperty(vit, "pooler.dense.weight")
    const clip = shapes({ model_type: "clip_vision_model", projection_dim: 3 })
    assert.deepStrictEqual(clip["vision_model.embeddings.class_embedding"], [4])
    assert.deepStrictEqual(clip["visual_projection.weight"], [3, 4])
    assert.property(clip, "vision_model.pre_layrnorm.weight")
    assert.notProperty(clip, "vision_model.embeddings.patch_embedding.bias")
    const siglip = shapes({ model_type: "siglip_vision_model" })
    assert.deepStrictEqual(siglip["vision_model.embeddings.position_embedding.weight"], [4, 4])
    assert.deepStrictEqual(siglip["vision_model.head.attention.in_proj_weight"], [12, 4])
    const dino = shapes({ model_type: "dinov2", layerscale_value: 1, swiglu: true })
    assert.deepStrictEqual(dino["encoder.layer.0.layer_scale1.lambda1"], [4])
    assert.deepStrictEqual(dino["encoder.layer.0.mlp.weights_in.weight"], [12, 4])
  })
})
