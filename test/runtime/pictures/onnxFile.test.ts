/** Encoders in ONNX files: which input and output are used, and what is refused. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import { preprocess } from "../../../src/domain/pictures/preprocess.ts"
import * as Nd from "../../../src/kernels/NdArray.ts"
import { encode } from "../../../src/kernels/onnx/encode.ts"
import { reshape } from "../../../src/kernels/op/broadcast.ts"
import { matmul } from "../../../src/kernels/op/contract.ts"
import { constant, input, type Tensor } from "../../../src/kernels/Tensor.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { decodePreprocessor } from "../../../src/runtime/files/vision/preprocessor.ts"
import { make, type OnnxSettings } from "../../../src/runtime/pictures/onnxFile.ts"
import { open } from "../../../src/runtime/retrieval/pictures/frozen.ts"
import { pictureOf } from "../../support/pictures.ts"

const around = Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)
const config = {
  image_processor_type: "ViTImageProcessor",
  size: { height: 4, width: 4 },
  image_mean: [0.5, 0.4, 0.3],
  image_std: [0.2, 0.3, 0.4]
}
const weight = Nd.make([48, 5], ([row, column]) => Math.sin(row! * 5 + column! + 1))

/** A file of a product of all pixels; its outputs are of the graph's. */
const file = (
  outputs: (vectors: Tensor) => Readonly<Record<string, Tensor>> = (vectors) => ({ vectors }),
  shape: ReadonlyArray<number> = [1, 3, 4, 4]
) => {
  const pixels = input("pixel_values", shape)
  const vectors = matmul(reshape(pixels, [1, 48]), constant(weight))
  return encode({ name: "encoder", inputs: { pixel_values: pixels }, outputs: outputs(vectors) })
}

/** A folder with a file and what is beside it. */
const folderOf = Effect.fnUntraced(function*(model: Uint8Array, preprocessor: object = config) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "onnx-" })
  yield* fs.writeFile(join(folder, "model.onnx"), model)
  yield* fs.writeFileString(join(folder, "preprocessor_config.json"), JSON.stringify(preprocessor))
  return join(folder, "model.onnx")
})
const found = { input: "", output: "" }
const run = <A, E>(effect: Effect.Effect<A, E, any>) =>
  effect.pipe(Effect.scoped, Effect.provide(around)) as Effect.Effect<A, E>
const refusal = (model: Uint8Array, settings: OnnxSettings = found, preprocessor: object = config) =>
  run(Effect.map(
    Effect.flip(Effect.flatMap(folderOf(model, preprocessor), (path) => make(path, settings))),
    (error) => (error as Error).message
  ))
const pictures = ["a", "b"].map((name) => ({ name, picture: pictureOf(name) }))

describe("an encoder in an ONNX file", () => {
  it.live("has the unit vectors of the prepared pixels", () =>
    run(Effect.gen(function*() {
      const path = yield* folderOf(file())
      const { pictures: encoded, size } = yield* make(path, found)
      assert.strictEqual(size, 5)
      const p = yield* decodePreprocessor(config, "")
      const vectors = yield* encoded(pictures)
      pictures.forEach(({ picture }, i) => {
        const { data } = preprocess(picture, p)
        const raw = Array.from(
          { length: 5 },
          (_, c) => data.reduce((sum, x, r) => sum + x * weight.data[r * 5 + c]!, 0)
        )
        const norm = Math.hypot(...raw)
        raw.forEach((x, c) => assert.closeTo(vectors[i * 5 + c]!, x / norm, 1e-5))
      })
      const frozen = yield* open(path)
      assert.deepStrictEqual(yield* frozen.pictures(pictures), vectors)
      assert.deepStrictEqual([frozen.texts, frozen.opened], [undefined, undefined])
    })))
  it.live("has the hash of its file and of how pictures are prepared", () =>
    run(Effect.gen(function*() {
      const hash = (model: Uint8Array, own: object = config) =>
        Effect.flatMap(folderOf(model, own), (path) => Effect.map(make(path, found), (made) => made.hash))
      const one = yield* hash(file())
      assert.strictEqual(yield* hash(file()), one)
      assert.notStrictEqual(yield* hash(file(), { ...config, image_std: [1, 1, 1] }), one)
      assert.notStrictEqual(yield* hash(file((vectors) => ({ others: vectors }))), one)
    })))
  it.live("takes the output that is named, or that exporters name so", () =>
    run(Effect.gen(function*() {
      const two = file((vectors) => ({ image_embeds: vectors, logits: reshape(vectors, [5, 1]) }))
      const path = yield* folderOf(two)
      assert.strictEqual((yield* make(path, found)).size, 5)
      assert.match(
        yield* Effect.map(
          Effect.flip(Effect.flatMap(make(path, { input: "", output: "logits" }), (made) => made.pictures(pictures))),
          String
        ),
        /gives \[5, 1\] for one picture, and is to give \[1, size\]/
      )
    })))
  it.live("is refused where it is none, in words", () =>
    Effect.gen(function*() {
      const two = file((vectors) => ({ first: vectors, second: vectors }))
      assert.match(yield* refusal(two), /of which none is known to be one vector.*name it as image_encoder_output/)
      assert.match(yield* refusal(file(), { input: "x", output: "" }), /has no input x; it has pixel_values \(float32/)
      assert.match(yield* refusal(file(), { input: "", output: "x" }), /has no output x; it has vectors/)
      assert.match(
        yield* refusal(file(undefined, [1, 48])),
        /takes pixel_values .*and pictures are float32 \[batch, 3, height, width\]/
      )
      assert.match(
        yield* refusal(file(), found, { ...config, size: { height: 8, width: 8 } }),
        /takes pictures \[3, 4, 4\], and preprocessor_config.json makes \[3, 8, 8\]/
      )
      assert.match(yield* refusal(new Uint8Array(9)), /did not compile|failed/i)
      const nowhere = Effect.flip(make("/nowhere/model.onnx", found))
      assert.match(((yield* run(nowhere)) as Error).message, /there is no such file/)
    }))
})
