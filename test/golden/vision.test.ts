/** Encoders of pictures, as transformers saves them: the vectors and gradients that it computes. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import { type Bound, flatten, type Params } from "../../src/kernels/nn/Module.ts"
import { pictureModel } from "../../src/kernels/nn/pictures/pictureModel.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { add, mul } from "../../src/kernels/op/elementwise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { decodePictureModel, gridOf } from "../../src/runtime/files/vision/config.ts"
import { ofPictureModel } from "../../src/runtime/files/vision/naming.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { compare, type Computed } from "./compared.ts"
import { patchesOf } from "./patches.ts"

const folders = join(import.meta.dirname, "vision")
const real = ({ data, shape }: Safetensors.StoredTensor): Tensor => constant(Nd.fromArray(shape, data))

const encodes = Effect.fnUntraced(function*(name: string) {
  const folder = join(folders, name)
  const found = yield* decodeFile(join(folder, "config.json"), decodePictureModel)
  const expected = yield* Safetensors.read(join(folder, "expected.safetensors"))
  const pixels = expected.get("pixels")!
  const [, , height, width] = pixels.shape as [number, number, number, number]
  const pooler = name === "vit-pooler"
  const side = found.vision.patch_size
  const model = pictureModel({
    ...found,
    vision: { ...found.vision, pooler, patches: gridOf({ height, width }, side) }
  })
  const naming = ofPictureModel(found.vision.model_type, { pooler })
  const weights = yield* ModelFolder.weights(folder, flatten(model.params), 1, { naming })
  const weighed = (vectors: Tensor, probe: string) => reshape(sumAll(mul(vectors, real(expected.get(probe)!))), [])
  const compute = (bound: Bound<Params>): Computed => {
    const image = model.image.apply(bound, patchesOf(pixels, side))
    if (!model.text) return { outputs: { image }, loss: weighed(image, "image_probe") }
    const { data, shape } = expected.get("ids")!
    const text = model.text.apply(bound, constant(Nd.fromArray(shape, data), "int32"))
    return { outputs: { image, text }, loss: add(weighed(image, "image_probe"), weighed(text, "text_probe")) }
  }
  yield* compare(name, model.params, weights, compute, expected, naming)
})

describe("an encoder of pictures of transformers", () => {
  it("is one of twelve", () => assert.strictEqual(readdirSync(folders).length, 12))
  for (const name of readdirSync(folders).toSorted()) {
    it.live(`computes here what it does there: ${name}`, () =>
      encodes(name).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
  }
})
