/** The towers of readers of pictures in training, and adapters on them, beside transformers and PEFT (towers.py). */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import type { Decoder } from "../../src/kernels/nn/decoder.ts"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { type Bound, flatten, type Params } from "../../src/kernels/nn/Module.ts"
import { onPatches, reader } from "../../src/kernels/nn/pictures/reader.ts"
import { patchSize } from "../../src/kernels/nn/pictures/reading.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { scale } from "../../src/kernels/op/elementwise.ts"
import { gather } from "../../src/kernels/op/gather.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Peft from "../../src/runtime/files/peft.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import * as Folder from "../../src/runtime/language/folder.ts"
import { building, loadingOf } from "../../src/runtime/language/ownParts.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import * as Adapters from "../../src/runtime/models/lora.ts"
import { compare, type Computed, underOf } from "./compared.ts"
import { patchesOf } from "./patches.ts"

const folders = join(import.meta.dirname, "towers")
const own = ["connector", "tower"] as const

const int32 = (shape: ReadonlyArray<number>, data: ArrayLike<number>): Tensor =>
  constant(Nd.fromArray(shape, data), "int32")

/** The name in these folders of a name in memory, which gradients have. */
const inFile = (name: string): string | undefined => {
  if (/\.(vision_tower|vision_model)\.(head|post_layernorm)\./.test(name) && name.includes("vision_tower")) {
    return undefined
  }
  const found = name.replace(/^model\.vision_tower\.(vision_model\.)?/, "vision_tower.vision_model.")
  return found.replace("model.multi_modal_projector.", "multi_modal_projector.")
    .replace("model.language_model.", "language_model.model.")
}

const opened = (path: string) => Folder.open(path, { max_length: 64, apply_chat_template: false })

/** What `towers.py` computes of a decoder: the logits and the mean likelihood, of pictures as patches. */
const computing = (
  decoder: Decoder,
  { pictures }: Effect.Success<ReturnType<typeof opened>>,
  given: Safetensors.StoredTensors
) => {
  const { features, image_token_id } = pictures!.pictures
  const patches = patchesOf(given.get("pixels")!, features.vision.patch_size)
  const { data: ids, shape } = given.get("ids")!
  const [b, n] = shape as [number, number]
  let next = 0
  const places = Array.from(ids, (id) => id === image_token_id ? next++ : -1)
  const rows = Array.from({ length: b * (n - 1) }, (_, i) => Math.floor(i / (n - 1)) * n + i % (n - 1))
  const vector = (values: ReadonlyArray<number>) => int32([values.length], values)
  return (bound: Bound<Params>): Computed => {
    const logits = onPatches(decoder).apply(bound as Bound<Decoder["params"]>, {
      ids: int32(shape, ids),
      positions: int32(shape, Array.from(ids, (_, i) => i % n)),
      branches: int32(shape, Array.from(ids, () => 0)),
      features: reshape(patches, [-1, patchSize(features)]),
      places: int32(shape, places)
    })
    const nll = crossEntropy(gather(logits, vector(rows)), vector(rows.map((row) => ids[row + 1]!)))
    return { outputs: { logits }, loss: scale(sumAll(nll), 1 / rows.length) }
  }
}

const filesOf = Effect.fnUntraced(function*(name: string) {
  const given = yield* Safetensors.read(join(import.meta.dirname, "readers", name, "expected.safetensors"))
  const expected = yield* Safetensors.read(join(folders, name, "expected.safetensors"))
  return { given, expected }
})

const weightsOf = Effect.fnUntraced(function*(o: Effect.Success<ReturnType<typeof opened>>, decoder: Decoder) {
  const loading = loadingOf(o.config, o.pictures, own)
  return yield* ModelFolder.weights(o.folder, flatten(decoder.params), 1, loading)
})

/** The gradients of everything, beside those of the tower, of `towers.py`, and of the rest, of `readers.py`. */
const inFull = Effect.fnUntraced(function*(name: string) {
  const { expected, given } = yield* filesOf(name)
  const found = yield* opened(join(import.meta.dirname, "readers", name))
  const { connector, features } = found.pictures!.pictures
  const decoder = reader(found.config, found.pictures!.names, connector, features)
  const wanted = new Map([
    ["logits", given.get("logits")!],
    ...[given, expected].flatMap((all) => [...all].filter(([key]) => key.startsWith("gradient/")))
  ])
  const tied = (path: string) =>
    found.pictures!.names.language(path.replace(/^model\.(language_model|text_model)\./, "model."))
  yield* compare(
    name,
    decoder.params,
    yield* weightsOf(found, decoder),
    computing(decoder, found, given),
    wanted,
    (path) => /vision_|projector|connector/.test(path) ? inFile(path) : tied(path)
  )
})

/** Adapters on everything linear, as PEFT saved them: those of layers that are not used are left out. */
const adapted = Effect.fnUntraced(function*(name: string) {
  const { expected, given } = yield* filesOf(name)
  const found = yield* opened(join(folders, name))
  const adapter = found.adapter!
  const stored = yield* Safetensors.read(join(folders, name, Peft.WEIGHTS))
  const written = [...adapter.tensors.keys()].map((path) => Peft.PREFIX + (found.inAdapters?.(path) ?? path))
  assert.includeMembers([...stored.keys()], written)
  const { connector, features } = found.pictures!.pictures
  const base = building(found.pictures, own)({ ...found.config, tie_word_embeddings: false })
  assert.strictEqual([...adapter.targets.keys()].some((path) => path.includes("layers.2") && name === "llava"), false)
  const tied = reader(found.config, found.pictures!.names, connector, features)
  const weights = yield* weightsOf(found, tied)
  const head = found.pictures!.names.language("lm_head.weight")
  if (!weights.has(head)) weights.set(head, weights.get(found.pictures!.names.language("model.embed_tokens.weight"))!)
  for (const [path, { data }] of adapter.tensors) weights.set(path, Float32Array.from(data))
  const decoder = adapt(base, Adapters.ofAdapter(adapter).lora)
  const under = underOf(expected)("lora/")
  const gradients = [...under].filter(([key]) => key.startsWith("gradient/"))
  assert.isTrue(gradients.some(([key]) => /vision_.*q_proj\.lora_A/.test(key)))
  const computed = computing(decoder, found, given)
  const isAdapter = (path: string) => Adapters.isLora(path)
  const params = flatten(decoder.params)
  assert.sameMembers(
    gradients.map(([key]) => inFile(key.replace("gradient/", ""))),
    [...params.keys()].filter(isAdapter)
  )
  yield* compare(name, decoder.params, weights, computed, under, inFile, isAdapter)
})

describe("the tower of a reader in training", () => {
  for (const name of readdirSync(folders).toSorted()) {
    const layer = Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)
    it.live(`has the gradients that transformers computes: ${name}`, () =>
      inFull(name).pipe(Effect.scoped, Effect.provide(layer)))
    it.live(`has the adapters of PEFT, with their gradients: ${name}`, () =>
      adapted(name).pipe(Effect.scoped, Effect.provide(layer)))
  }
})
