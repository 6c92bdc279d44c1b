/** Checkpoints of every architecture, as transformers saves them: what our models compute with them is what its do. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import { colbert, type Encoder } from "../../src/kernels/nn/colbert.ts"
import { causalLm, type Decoder } from "../../src/kernels/nn/decoder.ts"
import { type Bound, flatten, type Params } from "../../src/kernels/nn/Module.ts"
import { reshape, sumAll } from "../../src/kernels/op/broadcast.ts"
import { float, mul, scale } from "../../src/kernels/op/elementwise.ts"
import { gather } from "../../src/kernels/op/gather.ts"
import { crossEntropy } from "../../src/kernels/op/normalise.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { decodeDecoder, type DecoderConfig } from "../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { ofDecoder, ofEncoder } from "../../src/runtime/files/stateDict.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { compare, type Computed, underOf } from "./compared.ts"

const folders = join(import.meta.dirname, "architectures")
const isEncoder = (name: string): boolean => /bert|pylate|mpnet/.test(name)
const names = readdirSync(folders).toSorted()

const int32 = ({ data, shape }: Safetensors.StoredTensor): Tensor => constant(Nd.fromArray(shape, data), "int32")
const vector = (values: ReadonlyArray<number>): Tensor => constant(Nd.fromArray([values.length], values), "int32")
const zeros = (shape: ReadonlyArray<number>): Tensor => constant(Nd.make(shape, () => 0), "int32")

const reads = (decoder: Decoder, ids: Safetensors.StoredTensor) => (bound: Bound<Params>): Computed => {
  const [b, n] = ids.shape as [number, number]
  const positions = constant(Nd.make([b, n], ([_, i]) => i!), "int32")
  const input = { ids: int32(ids), positions, branches: zeros([b, n]) }
  const logits = decoder.apply(bound as Bound<Decoder["params"]>, input)
  const rows = Array.from({ length: b * (n - 1) }, (_, i) => Math.floor(i / (n - 1)) * n + i % (n - 1))
  const nll = crossEntropy(gather(logits, vector(rows)), vector(rows.map((row) => ids.data[row + 1]!)))
  return { outputs: { logits, nll }, loss: scale(sumAll(nll), 1 / rows.length) }
}

const decodes = Effect.fnUntraced(function*(name: string) {
  const folder = join(folders, name)
  const config: DecoderConfig = yield* decodeFile(join(folder, "config.json"), decodeDecoder)
  const decoder = causalLm(config)
  const naming = ofDecoder(config)
  const weights = yield* ModelFolder.weights(folder, flatten(decoder.params), 1, { naming })
  const tensors = yield* Safetensors.read(join(folder, "expected.safetensors"))
  const lengths = new Set([...tensors.keys()].map((key) => key.split("/")[0]!))
  for (const length of lengths) {
    const expected = underOf(tensors)(`${length}/`)
    const compute = reads(decoder, expected.get("ids")!)
    yield* compare(`${name} of ${length} tokens`, decoder.params, weights, compute, expected, naming)
  }
})

const points =
  (name: string, encoder: Encoder, expected: Safetensors.StoredTensors) => (bound: Bound<Params>): Computed => {
    const { data, shape } = expected.get("mask")!
    const mask = constant(Nd.fromArray(shape, data), "bool")
    const found = encoder.apply(bound, { ids: int32(expected.get("ids")!), mask })
    /** Of DeBERTa, those of masked tokens mean nothing. */
    const vectors = name.startsWith("deberta") ? mul(found, reshape(float(mask), [...shape, 1])) : found
    const probe = expected.get("probe")!
    const weighed = mul(vectors, constant(Nd.fromArray(probe.shape, probe.data)))
    return { outputs: { vectors }, loss: reshape(sumAll(weighed), []) }
  }

const encodes = Effect.fnUntraced(function*(name: string) {
  const folder = join(folders, name)
  const found = yield* decodeFile(join(folder, "config.json"), decodeEncoder)
  const naming = ofEncoder(found.model_type)
  const expected = yield* Safetensors.read(join(folder, "expected.safetensors"))
  const dim = expected.get("gradient/linear.weight")?.shape[0] ?? 0
  const encoder = colbert({ ...found, dim })
  const weights = yield* ModelFolder.weights(folder, flatten(encoder.params), 1, { naming })
  yield* compare(name, encoder.params, weights, points(name, encoder, expected), expected, naming)
})

describe("a checkpoint of transformers", () => {
  for (const name of names) {
    it.live(`computes here what it does there: ${name}`, () =>
      (isEncoder(name) ? encodes(name) : decodes(name)).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))
      ))
  }
})
