/**
 * Whether transformers.js makes the same of exported models: token ids, vectors, logits and greedy texts.
 *
 *     cd bench/peers && npm install --ignore-scripts && node exported.ts
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import * as Key from "../../src/domain/Key.ts"
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { bind, type Flat, flatten, type Module } from "../../src/kernels/nn/Module.ts"
import { input, type Tensor } from "../../src/kernels/Tensor.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { asInputs } from "../../src/runtime/engine/Weights.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeEncoder } from "../../src/runtime/files/config/encoder.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { unconstrained } from "../../src/runtime/language/generation/constraints.ts"
import { batches, generate } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import { greedy } from "../../src/runtime/language/generation/sampling.ts"
import * as OnnxFolder from "../../src/runtime/models/export/onnx.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import { initialise } from "../../src/runtime/models/initialise.ts"
import { contestant } from "./contestant.ts"

const TOKENS = 64
const texts = [
  "cystic fibrosis is caused by changes in CFTR",
  "which gene is altered in this disease ?",
  "fever, pain in the joints and a rash on the face since childhood; inheritance is autosomal dominant"
]

/** A folder of the demo with drawn weights. */
const prepare = Effect.fnUntraced(function*(folder: string, name: string, params: Flat) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.copy(join(import.meta.dirname, "..", "..", "experiments", "demo", name), folder)
  const weights = initialise(params, Key.make(7))
  const tensors = new Map([...weights].map(([path, data]) => [path, { shape: params.get(path)!.shape, data }]))
  yield* fs.writeFile(join(folder, "model.safetensors"), Safetensors.encode(tensors))
  yield* OnnxFolder.add(folder)
  return weights
})

interface Values {
  readonly dims: ReadonlyArray<number>
  readonly data: ReadonlyArray<number>
}

/** Row `n` of text `r` of a block [texts, length, width]. */
const row = ({ data, dims: [_, length, width] }: Values, r: number, n: number) =>
  data.slice((r * length! + n) * width!, (r * length! + n + 1) * width!)

/** The greatest difference, relative to the greatest value. */
const off = (got: ReadonlyArray<number>, want: ArrayLike<number>): number => {
  const most = Array.from(want).reduce((m, x) => Math.max(m, Math.abs(x)), 0)
  return Array.from(want).reduce((m, x, i) => Math.max(m, Math.abs(got[i]! - x)), 0) / most
}

const report = (line: string): void => void process.stdout.write(`${line}\n`)

/** The meaning of a module, in float64, of one text. */
const meaning = <I>(module: Module<any, [I], Tensor>, weights: ReadonlyMap<string, Float32Array>, of: I) => {
  const params = flatten(module.params)
  const bound = bind(module.params, (path, { shape }) => input(path, shape))
  const feeds = [...weights].map(([path, data]) => [path, Nd.fromArray(params.get(path)!.shape, data)] as const)
  return (own: Readonly<Record<string, Nd.NdArray>>) =>
    interpret([module.apply(bound, of)], { ...Object.fromEntries(feeds), ...own })[0]!
}

const check = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "exported-" })
  const [retriever, reader] = [join(folder, "retriever"), join(folder, "reader")]
  const demo = (name: string) => join(import.meta.dirname, "..", "..", "experiments", "demo", name)
  const encoder = yield* ModelFolder.open(demo("retriever"), decodeEncoder)
  const decoder = yield* ModelFolder.open(demo("reader"), decodeDecoder)
  const [encodes, decodes] = [colbert({ ...encoder.config, dim: encoder.config.dim! }), causalLm(decoder.config)]
  const encoderWeights = yield* prepare(retriever, "retriever", flatten(encodes.params))
  const decoderWeights = yield* prepare(reader, "reader", flatten(decodes.params))
  const peer = yield* Effect.promise(() =>
    contestant<any>("transformers.js", process.execPath, [join(import.meta.dirname, "exported.mjs")])
  )
  yield* Effect.promise(() => peer.turn({ kind: "encoder", folder: retriever, texts }))
  yield* Effect.promise(() => peer.turn({ kind: "decoder", folder: reader, texts, tokens: TOKENS }))
  peer.end()
  const [theirs, written] = peer.turns

  const ids = texts.map(encoder.tokenizer.encode)
  report(`encoder: token ids ${JSON.stringify(ids) === JSON.stringify(theirs.ids) ? "the same" : "DIFFER"}`)
  for (const [r, own] of ids.entries()) {
    const names = { ids: input("ids", [1, own.length], "int32"), mask: input("mask", [1, own.length], "bool") }
    const feeds = { ids: Nd.fromArray([1, own.length], own), mask: Nd.fromArray([1, own.length], own.map(() => 1)) }
    const want = meaning(encodes, encoderWeights, names)(feeds)
    const got = own.flatMap((_, n) => row(theirs.vectors, r, n))
    report(`  text ${r}: vectors of ${own.length} tokens off by ${off(got, want.data).toExponential(1)}`)
  }

  const read = texts.map(decoder.tokenizer.encode)
  report(`decoder: token ids ${JSON.stringify(read) === JSON.stringify(written.ids) ? "the same" : "DIFFER"}`)
  const session = yield* Session
  const program = yield* session.open(generation(decoder.config, decodes), asInputs(decoderWeights))
  const generator = {
    program,
    cache: cacheShape(decoder.config),
    kept: session.kept,
    weights: () => ({}),
    padding: 0,
    decode: () => "",
    ...batches("reader")
  }
  const options = { ...unconstrained, ...greedy, max_new_tokens: TOKENS, eos: new Set<number>(), stop_strings: [] }
  const tokens = yield* Stream.runCollect(
    generate(generator, read.map((own) => ({ ids: own, key: Key.make(0) })), options)
  )
  for (const [r, own] of read.entries()) {
    const shape = [1, own.length]
    const [positions, branches] = [input("positions", shape, "int32"), input("branches", shape, "int32")]
    const want = meaning(decodes, decoderWeights, { ids: input("ids", shape, "int32"), positions, branches })({
      ids: Nd.fromArray(shape, own),
      positions: Nd.fromArray(shape, [...own.keys()]),
      branches: Nd.fromArray(shape, own.map(() => 0))
    })
    const got = own.flatMap((_, n) => row(written.logits, r, written.logits.dims[1] - own.length + n))
    const mine = tokens.filter((t) => t.row === r).map((t) => t.id)
    const same = mine.filter((id, i) => id === written.texts[r][i]).length
    report(`  text ${r}: logits off by ${off(got, want.data).toExponential(1)}, ${same} of ${TOKENS} tokens the same`)
  }
}).pipe(Effect.scoped, Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)))

await Effect.runPromise(check)
