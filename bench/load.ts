/**
 * How fast weights are read, and how much memory it takes beside theirs: a sharded checkpoint made for the purpose, read
 * by a process of its own.
 *
 *     node bench/load.ts [--megabytes 512] [--dtype F32|BF16] [--json]
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { causalLm, type DecoderConfig } from "../src/kernels/nn/decoder.ts"
import { type Flat, flatten } from "../src/kernels/nn/Module.ts"
import * as Weights from "../src/runtime/engine/Weights.ts"
import * as ModelFolder from "../src/runtime/layers/modelFolder.ts"

const { values: options } = parseArgs({
  options: {
    megabytes: { type: "string", default: "512" },
    dtype: { type: "string", default: "F32" },
    json: { type: "boolean", default: false },
    /** Read this folder, and report. */
    read: { type: "string" }
  }
})

const LAYER = 4 * 1024 ** 2 + 3 * 1024 * 2816 + 2 * 1024
const megabytes = Number(options.megabytes)
const config: DecoderConfig = {
  vocab_size: 8192,
  hidden_size: 1024,
  intermediate_size: 2816,
  num_hidden_layers: Math.max(1, Math.round((megabytes * 2 ** 20 / 4 - 8192 * 1024) / LAYER)),
  num_attention_heads: 16,
  num_key_value_heads: 16,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0,
  initializer_range: 0.02
}
const params: Flat = flatten(causalLm(config).params)
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
  const bytes = Buffer.alloc(8 + header.length + end, 0x3c)
  bytes.writeBigUInt64LE(BigInt(header.length))
  bytes.set(header, 8)
  writeFileSync(path, bytes)
}

const write = (folder: string, dtype: string): void => {
  const shards = [...Map.groupBy(params.keys(), (path) => /layers\.(\d+)/.exec(path)?.[1] ?? "rest").values()]
  const name = (i: number) =>
    `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`
  shards.forEach((names, i) => writeShard(join(folder, name(i)), names, dtype))
  const weight_map = Object.fromEntries(shards.flatMap((names, i) => names.map((path) => [path, name(i)])))
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }))
}

/** Reads as the reader does, and tells how far memory rose above where it was before. */
const read = async (folder: string) => {
  const before = process.memoryUsage().rss
  const started = performance.now()
  const weights = await Effect.runPromise(
    ModelFolder.weights(folder, params, 1).pipe(
      Effect.map((initial) => Weights.make(params, [], [], initial)),
      Effect.provide(NodeFileSystem.layer)
    )
  )
  const seconds = (performance.now() - started) / 1000
  const bytes = Object.values(weights.values()).reduce((n, { byteLength }) => n + byteLength, 0)
  const peak = process.resourceUsage().maxRSS * 1024 - before
  return { bytes, peak, ratio: peak / bytes, seconds }
}

const measure = () => {
  const folder = mkdtempSync(join(tmpdir(), "load-"))
  try {
    write(folder, options.dtype)
    const own = ["--megabytes", options.megabytes, "--dtype", options.dtype, "--json", "--read", folder]
    const child = spawnSync(process.execPath, [import.meta.filename, ...own], { encoding: "utf8" })
    if (child.status !== 0) throw new Error(child.stderr)
    return JSON.parse(child.stdout) as Awaited<ReturnType<typeof read>>
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const found = options.read === undefined ? measure() : await read(options.read)
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ ...found, dtype: options.dtype })}\n`
    : `${mib(found.bytes)} of float32 from ${options.dtype} in ${found.seconds.toFixed(2)} s, `
      + `${(found.bytes / 2 ** 20 / found.seconds).toFixed(0)} MiB/s; memory rose by ${mib(found.peak)}, `
      + `${found.ratio.toFixed(3)} of the weights\n`
)
