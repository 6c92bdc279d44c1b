/** GGUF files by PyPI's `gguf` (ggufFiles.py): values to the bit, models that compute what transformers' do, token ids. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Nd from "../../src/kernels/NdArray.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, type Bound, flatten, inputs, type Params } from "../../src/kernels/nn/Module.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import { quantised } from "../../src/runtime/files/gguf/blocks/quantise.ts"
import * as Gguf from "../../src/runtime/files/gguf/read.ts"
import { decodeFile } from "../../src/runtime/files/model.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { ofDecoder, ofEncoder } from "../../src/runtime/files/stateDict.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import * as Tokenizer from "../../src/runtime/tokenizers/tokenizer.ts"
import { onDisk } from "../support/files.ts"
import * as Golden from "./golden.ts"

const here = import.meta.dirname
const at = (name: string) => join(here, "gguf", name)
const bits = (data: Float32Array) => new Uint32Array(data.buffer, data.byteOffset, data.length)

describe("a tensor of each type", () => {
  it.live("is dequantised to the bits that gguf has", () =>
    onDisk(Effect.gen(function*() {
      const [file, expected] = [yield* Gguf.open(at("types.gguf")), yield* Safetensors.read(at("types.safetensors"))]
      const names = [...file.tensors.keys()].filter((name) => !name.startsWith("quantised."))
      assert.strictEqual(names.length, 14)
      for (const name of names) {
        const { data, shape } = yield* file.read(name)
        assert.strictEqual(file.tensors.get(name)!.type.name, name)
        assert.deepStrictEqual(shape, expected.get(name)!.shape)
        assert.deepStrictEqual(bits(data), bits(expected.get(name)!.data), name)
      }
    })))
  for (const type of ["Q8_0", "Q4_0"] as const) {
    it.live(`is quantised to the bits that gguf has: ${type}`, () =>
      onDisk(Effect.gen(function*() {
        const file = yield* Gguf.open(at("types.gguf"))
        const { data } = (yield* Safetensors.read(at("types.safetensors"))).get(`quantised.${type}`)!
        assert.deepStrictEqual(quantised(data, type), yield* file.blocks(`quantised.${type}`))
      })))
  }
})

const vector = (values: ArrayLike<number>, shape: ReadonlyArray<number>): Tensor =>
  constant(Nd.fromArray(shape, Float32Array.from(values)), "int32")

/** Runs a module with these weights. */
const outputOf = Effect.fnUntraced(
  function*(params: Params, weights: ReadonlyMap<string, Float32Array>, compute: (bound: Bound<Params>) => Tensor) {
    const session = yield* Session
    const given = inputs(params)
    const output = compute(bind(params, (path) => given.get(path)!))
    const program = yield* session.compile<string, string>({
      name: "golden",
      inputs: Object.fromEntries(given),
      outputs: { output }
    })
    return (yield* program.run(Object.fromEntries(weights)))["output"] as Float32Array
  }
)

/** The ids and outputs of a checkpoint, each under the name of a length of rows. */
const expectedOf = Effect.fnUntraced(function*(name: string) {
  const tensors = yield* Safetensors.read(
    name === "gemma3" ? at("gemma3.safetensors") : join(here, "architectures", name, "expected.safetensors")
  )
  const keys = [...tensors.keys()].filter((key) => /(^|\/)ids$/.test(key))
  return keys.map((key) => (output: string) => tensors.get(key.replace(/ids$/, output))!)
})

const decodes = Effect.fnUntraced(function*(name: string) {
  const config = yield* decodeFile(join(at(`${name}.gguf`), "config.json"), decodeDecoder)
  const decoder = causalLm(config)
  const naming = ofDecoder(config)
  const weights = yield* ModelFolder.weights(at(`${name}.gguf`), flatten(decoder.params), 1, { naming })
  for (const expected of yield* expectedOf(name)) {
    const { data, shape } = expected("ids")
    const [rows, length] = shape as [number, number]
    const input = {
      ids: vector(data, shape),
      positions: constant(Nd.make([rows, length], ([_, i]) => i!), "int32"),
      branches: constant(Nd.make([rows, length], () => 0), "int32")
    }
    const logits = yield* outputOf(
      decoder.params,
      weights,
      (bound) => decoder.apply(bound as Bound<typeof decoder.params>, input)
    )
    Golden.close(logits, expected("logits").data, `${name} of ${length} tokens`, { tolerance: 1e-5 })
  }
})

const encodes = Effect.fnUntraced(function*(name: string) {
  const config = yield* decodeFile(join(at(`${name}.gguf`), "config.json"), decodeEncoder)
  const encoder = colbert({ ...config, dim: 0 })
  const naming = ofEncoder("bert")
  const weights = yield* ModelFolder.weights(at(`${name}.gguf`), flatten(encoder.params), 1, { naming })
  for (const expected of yield* expectedOf(name)) {
    const [ids, mask] = [expected("ids"), expected("mask")]
    const input = { ids: vector(ids.data, ids.shape), mask: constant(Nd.fromArray(mask.shape, mask.data), "bool") }
    const vectors = yield* outputOf(
      encoder.params,
      weights,
      (bound) => encoder.apply(bound as Bound<typeof encoder.params>, input)
    )
    Golden.close(vectors, expected("vectors").data, name, { tolerance: 1e-5 })
  }
})

describe("a checkpoint in GGUF", () => {
  const decoders =
    "llama llama-linear llama-llama3 llama-yarn mistral-whole qwen2 qwen3 phi3 phi3-longrope gemma gemma3"
  for (const name of [...decoders.split(" "), "bert"]) {
    it.live(`computes what transformers computes with the folder it was made of: ${name}`, () =>
      (name === "bert" ? encodes(name) : decodes(name)).pipe(
        Effect.scoped,
        Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer))
      ))
  }
})

/** The ids of each line of tokenizing.py, without special tokens. */
const idsOf = (kind: string): ReadonlyArray<ReadonlyArray<number>> => {
  const bytes = readFileSync(join(here, "tokenizers", `${kind}.ids`))
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
  const all: Array<ReadonlyArray<number>> = []
  for (let i = 0; i < words.length; i += 1 + words[i]!) all.push([...words.subarray(i + 1, i + 1 + words[i]!)])
  return all
}

describe("a tokenizer in GGUF", () => {
  const lines = JSON.parse(readFileSync(join(here, "tokenizers", "lines.json"), "utf8")) as ReadonlyArray<string>
  for (const [kind, start] of [["llama3", 1], ["llama2", 1], ["wordpiece", 1]] as const) {
    it.live(`has the ids of the tokenizer.json it was made of: ${kind}`, () =>
      onDisk(Effect.map(Tokenizer.load(at(`tokens-${kind}.gguf`)), (tokenizer) => {
        const expected = idsOf(kind)
        lines.forEach((line, i) => assert.deepStrictEqual(tokenizer.encode(line), expected[i], JSON.stringify(line)))
        assert.strictEqual(tokenizer.start?.length, start)
      })))
  }
})
