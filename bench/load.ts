/**
 * How fast weights are read, and how much memory it takes beside theirs: a sharded checkpoint made for the purpose, read
 * by a process of its own; and with --score, whether a program runs on them and how large it is.
 *
 *     node bench/load.ts [--megabytes 512] [--vocabulary 8192] [--dtype F32|BF16|F16] [--score] [--json]
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync, writevSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { causalLm, type DecoderConfig } from "../src/kernels/nn/decoder.ts"
import { type Flat, flatten } from "../src/kernels/nn/Module.ts"
import { encode } from "../src/kernels/onnx/encode.ts"
import { cpu } from "../src/runtime/engine/providers.ts"
import { Session } from "../src/runtime/engine/Session.ts"
import * as Weights from "../src/runtime/engine/Weights.ts"
import * as Graphs from "../src/runtime/language/graphs.ts"
import * as ModelFolder from "../src/runtime/models/folder.ts"

const { values: options } = parseArgs({
  options: {
    megabytes: { type: "string", default: "512" },
    dtype: { type: "string", default: "F32" },
    vocabulary: { type: "string", default: "8192" },
    score: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    /** Read this folder, and report. */
    read: { type: "string" }
  }
})

const LAYER = 4 * 1024 ** 2 + 3 * 1024 * 2816 + 2 * 1024
const [megabytes, vocabulary] = [Number(options.megabytes), Number(options.vocabulary)]
const config: DecoderConfig = {
  vocab_size: vocabulary,
  hidden_size: 1024,
  intermediate_size: 2816,
  num_hidden_layers: Math.max(1, Math.round((megabytes * 2 ** 20 / 4 - vocabulary * 1024) / LAYER)),
  num_attention_heads: 16,
  num_key_value_heads: 16,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0,
  initializer_range: 0.02
}
const decoder = causalLm(config)
const params: Flat = flatten(decoder.params)
const sizeOf = (path: string): number => params.get(path)!.shape.reduce((a, b) => a * b, 1)

/** A file of the given parameters, all of whose values are numbers. */
const writeShard = (path: string, names: ReadonlyArray<string>, dtype: string): void => {
  const width = dtype === "F32" ? 4 : 2
  let end = 0
  const entries = names.map((name) => {
    const data_offsets = [end, end += width * sizeOf(name)]
    return [name, { dtype, shape: params.get(name)!.shape, data_offsets }] as const
  })
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const block = Buffer.alloc(2 ** 24, 0x3c)
  const file = openSync(path, "w")
  writevSync(file, [length, header])
  for (let at = 0; at < end; at += block.length) writeSync(file, block.subarray(0, end - at))
  closeSync(file)
}

const write = (folder: string, dtype: string): void => {
  const shards = [...Map.groupBy(params.keys(), (path) => /layers\.(\d+)/.exec(path)?.[1] ?? "rest").values()]
  const name = (i: number) =>
    `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`
  shards.forEach((names, i) => writeShard(join(folder, name(i)), names, dtype))
  const weight_map = Object.fromEntries(shards.flatMap((names, i) => names.map((path) => [path, name(i)])))
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }))
}

/** The likelihood of a text by the weights, and the bytes of the program that tells it. */
const score = Effect.fnUntraced(
  function*(weights: Weights.Weights) {
    const graph = Graphs.score(decoder, { rows: 1, length: 16, supervised: 15 })
    const tokens = Int32Array.from({ length: 16 }, (_, i) => (i + 1) * Math.floor(vocabulary / 17))
    const program = yield* (yield* Session).compile<string, string>(graph)
    const { nll } = yield* program.run({
      ...weights.values(),
      ids: tokens,
      positions: tokens.map((_, i) => i),
      branches: new Int32Array(16),
      rows: tokens.slice(1).map((_, i) => i),
      targets: tokens.slice(1)
    })
    return { program: encode(graph).length, nll: (nll as Float32Array).reduce((a, b) => a + b, 0) / 15 }
  },
  Effect.scoped,
  Effect.provide(cpu())
)

/** Reads as the reader does, and tells how far memory rose above where it was before. */
const read = Effect.fnUntraced(function*(folder: string) {
  const before = process.memoryUsage().rss
  const started = performance.now()
  const weights = Weights.make(params, [], [], yield* ModelFolder.weights(folder, params, 1))
  const seconds = (performance.now() - started) / 1000
  const bytes = Object.values(weights.values()).reduce((n, { byteLength }) => n + byteLength, 0)
  const peak = process.resourceUsage().maxRSS * 1024 - before
  const scored = options.score ? yield* score(weights) : undefined
  return { bytes, peak, ratio: peak / bytes, seconds, scored }
}, Effect.provide(NodeFileSystem.layer))

type Found = Effect.Success<ReturnType<typeof read>>

const measure = (): Found => {
  const folder = mkdtempSync(join(tmpdir(), "load-"))
  try {
    write(folder, options.dtype)
    const own = [...process.argv.slice(2), "--json", "--read", folder]
    const child = spawnSync(process.execPath, [import.meta.filename, ...own], { encoding: "utf8" })
    if (child.status !== 0) throw new Error(child.stderr)
    return JSON.parse(child.stdout) as Found
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const found = options.read === undefined ? measure() : await Effect.runPromise(read(options.read))
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ ...found, dtype: options.dtype })}\n`
    : `${mib(found.bytes)} of float32 from ${options.dtype} in ${found.seconds.toFixed(2)} s, `
      + `${(found.bytes / 2 ** 20 / found.seconds).toFixed(0)} MiB/s; memory rose by ${mib(found.peak)}, `
      + `${found.ratio.toFixed(3)} of the weights\n`
      + (found.scored
        ? `a program of ${found.scored.program} bytes: ${found.scored.nll.toFixed(3)} nats a token\n`
        : "")
)
