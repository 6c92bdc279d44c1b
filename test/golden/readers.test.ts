/** Decoders that read pictures, as transformers saves them: the logits, likelihoods and gradients that it computes. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import type { Decoder } from "../../src/kernels/nn/decoder.ts"
import { bind, type Bound, flatten, type Params } from "../../src/kernels/nn/Module.ts"
import { reader, type ReaderNames } from "../../src/kernels/nn/pictures/reader.ts"
import { features } from "../../src/kernels/nn/pictures/reading.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { scale } from "../../src/kernels/op/elementwise.ts"
import { gather } from "../../src/kernels/op/gather.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { decodeReader } from "../../src/runtime/files/vision/reader.ts"
import { namesOf, ofReader } from "../../src/runtime/files/vision/readerNames.ts"
import * as WeightFiles from "../../src/runtime/files/weights.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { compare, type Computed } from "./compared.ts"
import { patchesOf } from "./patches.ts"

const folders = join(import.meta.dirname, "readers")

const int32 = (shape: ReadonlyArray<number>, data: ArrayLike<number>): Tensor =>
  constant(Nd.fromArray(shape, data), "int32")

/** The row of features of each token that stands for one, in order; -1 elsewhere. */
const placesOf = (ids: ArrayLike<number>, image: number): ReadonlyArray<number> => {
  let next = 0
  return Array.from(ids, (id) => id === image ? next++ : -1)
}

/** The name in a file of a name in memory, which gradients have. */
const inFile = ({ connector, language }: ReaderNames) => (name: string): string =>
  name.startsWith("model.multi_modal_projector.")
    ? name.replace("model.multi_modal_projector.", connector)
    : name.startsWith(connector)
    ? name
    : language(name.replace(/^model\.(language_model|text_model)\./, "model."))

const reads = Effect.fnUntraced(function*(name: string) {
  const folder = join(folders, name)
  const config = yield* decodeFile(join(folder, "config.json"), decodeReader)
  const pictures = config.pictures!
  const expected = yield* Safetensors.read(join(folder, "expected.safetensors"))
  const names = namesOf(pictures, (yield* WeightFiles.shapes(folder))!.keys())
  const tied = config.tie_word_embeddings
  const decoder = reader(config, names, pictures.connector)
  const tower = features(pictures.features, names.tower)
  const weights = yield* ModelFolder.weights(folder, flatten(decoder.params), 1, {
    naming: ofReader({ names, parts: ["language", "connector"], tied })
  })
  const frozen = yield* ModelFolder.weights(folder, flatten(tower.all), 1, {
    naming: ofReader({ names, parts: ["tower"], tied })
  })
  const seen = tower.apply(
    bind(tower.params, (path, { shape }) => constant(Nd.fromArray(shape, frozen.get(path)!))),
    patchesOf(expected.get("pixels")!, pictures.features.vision.patch_size)
  )
  assert.deepStrictEqual(seen.type.shape, [3, pictures.rows, pictures.connector.from])
  const { data: ids, shape } = expected.get("ids")!
  const [b, n] = shape as [number, number]
  const compute = (bound: Bound<Params>): Computed => {
    const logits = decoder.apply(bound as Bound<Decoder["params"]>, {
      ids: int32(shape, ids),
      positions: int32(shape, Array.from(ids, (_, i) => i % n)),
      branches: int32(shape, Array.from(ids, () => 0)),
      features: reshape(seen, [-1, pictures.connector.from]),
      places: int32(shape, placesOf(ids, pictures.image_token_id))
    })
    const rows = Array.from({ length: b * (n - 1) }, (_, i) => Math.floor(i / (n - 1)) * n + i % (n - 1))
    const vector = (values: ReadonlyArray<number>) => int32([values.length], values)
    const nll = crossEntropy(gather(logits, vector(rows)), vector(rows.map((row) => ids[row + 1]!)))
    return { outputs: { logits, nll }, loss: scale(sumAll(nll), 1 / rows.length) }
  }
  yield* compare(name, decoder.params, weights, compute, expected, inFile(names))
})

describe("a decoder of transformers that reads pictures", () => {
  it("is one of seven", () => assert.strictEqual(readdirSync(folders).length, 7))
  for (const name of readdirSync(folders).toSorted()) {
    it.live(`computes here what it does there: ${name}`, () =>
      reads(name).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))))
  }
})
