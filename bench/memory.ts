/**
 * The memory that one update of a reader of 97 million parameters takes, by how it learns. Each case runs in a process of
 * its own, whose greatest resident size is told.
 *
 *     node bench/memory.ts [CASE ...] [--steps 2] [--threads 2] [--json]
 */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import "../src/cli/allocator.ts"
import { asStored, type Half, type Values } from "../src/kernels/half.ts"
import * as Nd from "../src/kernels/NdArray.ts"
import { causalLm, type DecoderConfig } from "../src/kernels/nn/decoder.ts"
import { adapt } from "../src/kernels/nn/lora.ts"
import { type Flat, flatten, type Param } from "../src/kernels/nn/Module.ts"
import { stored } from "../src/kernels/nn/stored.ts"
import { adamw } from "../src/kernels/optim/adamw.ts"
import * as Learner from "../src/runtime/engine/Learner.ts"
import { transient } from "../src/runtime/engine/Meter.ts"
import { cpu } from "../src/runtime/engine/providers.ts"
import * as Weights from "../src/runtime/engine/Weights.ts"
import * as Graphs from "../src/runtime/language/graphs.ts"

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    /** Run the one case that is named, and report. */
    child: { type: "boolean", default: false }
  }
})

interface Case {
  readonly length: number
  readonly shifted?: boolean
  readonly checkpointing?: boolean
  /** Batches of an update. */
  readonly parts?: number
  /** An adapter alone learns, over weights that are stored so. */
  readonly base?: "float32" | Half
}

const cases: Readonly<Record<string, Case>> = {
  "4096": { length: 4096 },
  "4096 checkpointed": { length: 4096, checkpointing: true },
  "4096 shifted": { length: 4096, shifted: true },
  "4096 shifted checkpointed": { length: 4096, shifted: true, checkpointing: true },
  "8192 checkpointed": { length: 8192, checkpointing: true },
  "8192 shifted checkpointed": { length: 8192, shifted: true, checkpointing: true },
  "512": { length: 512 },
  "512 in 4 parts": { length: 512, parts: 4 },
  "512 adapter on float32": { length: 512, base: "float32" },
  "512 adapter on bfloat16": { length: 512, base: "bfloat16" },
  "512 adapter on float16": { length: 512, base: "float16" }
}

const config: DecoderConfig = {
  vocab_size: 16000,
  hidden_size: 768,
  intermediate_size: 2048,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  num_key_value_heads: 12,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-6,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: true,
  hidden_dropout_prob: 0,
  initializer_range: 0.02
}
const SUPERVISED = 64

const base = causalLm(config)
const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-5 })

/** Numbers that look drawn, the same in every process; made a few at a time, as they are stored. */
const drawn = (param: Param, scale: number): Values => {
  const size = Nd.size(param.shape)
  const values = param.stored ? new Uint16Array(size) : new Float32Array(size)
  const some = new Float32Array(2 ** 16)
  for (let start = 0; start < size; start += some.length) {
    for (let i = 0; i < some.length; i++) {
      some[i] = scale * Math.sin(1 + (start + i) * 12.9898) * Math.cos((start + i) * 78.233)
    }
    values.set(asStored(param, some.subarray(0, size - start)), start)
  }
  return values
}

const initial = (params: Flat) =>
  new Map(
    [...params].map(([path, param]) => {
      const { shape } = param
      const ones = () => asStored(param, new Float32Array(shape[0]!).fill(1))
      return [path, shape.length === 1 ? ones() : drawn(param, 0.03)]
    })
  )

/** The decoder as it learns, and what of it does. */
const subject = (type: Case["base"]) => {
  if (type === undefined) return { decoder: base, trainable: [...flatten(base.params).keys()] }
  const linear = [...flatten(base.params).keys()].filter((path) => path.endsWith("_proj.weight"))
  const targets = new Map(linear.map((path) => [path.replace(/\.weight$/, ""), { r: 16, scaling: 2 }]))
  const adapted = adapt(base, { targets, dropout: 0 })
  const trainable = [...flatten(adapted.params).keys()].filter((path) => path.includes(".lora_"))
  const frozen = (path: string) => !path.includes(".lora_")
  const decoder = type === "float32" ? adapted : stored(adapted, (path) => frozen(path) ? type : undefined)
  return { decoder, trainable }
}

/** One sequence, whose last tokens are to be predicted. */
const batch = (length: number) => {
  const places = Int32Array.from({ length }, (_, i) => i)
  const ids = places.map((i) => (i * 7919 + 13) % config.vocab_size)
  const rows = places.slice(length - SUPERVISED - 1, -1)
  return {
    ids,
    positions: places,
    branches: new Int32Array(length),
    rows,
    targets: rows.map((row) => ids[row + 1]!),
    weights: new Float32Array(SUPERVISED).fill(1 / SUPERVISED),
    key: Int32Array.of(1)
  }
}

const measure = Effect.fnUntraced(function*(one: Case, steps: number) {
  const start = process.memoryUsage.rss()
  const { base, checkpointing = false, length, parts = 1, shifted = false } = one
  const { decoder, trainable } = subject(base)
  const params = flatten(decoder.params)
  const weights = Weights.make(params, trainable, optimizer.slots, initial(params))
  const lesson = ([length]: [number]) =>
    Graphs.lesson(decoder, {
      shape: { rows: 1, length, supervised: SUPERVISED },
      group: (path) => trainable.includes(path) ? "all" : undefined,
      optimizer,
      maxGradNorm: 1,
      shifted,
      checkpointing
    })
  const groups = { all: { learningRate: () => 1e-4, weightDecay: 0.1 } }
  const learner = yield* Learner.make({ name: "memory", weights, optimizer, groups, lesson })
  const seconds: Array<number> = []
  const losses: Array<number> = []
  for (let i = 0; i < steps; i++) {
    const began = process.cpuUsage()
    const [report] = yield* learner.learn(
      Array.from({ length: parts }, () => ({ key: [length], batch: batch(length) }))
    )
    const { system, user } = process.cpuUsage(began)
    seconds.push((system + user) / 1e6)
    losses.push(report!["loss"]![0]!)
  }
  const { part, whole } = lesson([length])
  const apart = parts > 1 || weights.overwritten
  const largest = transient(apart ? part() : whole(), (output) => output.startsWith("next/"))
  const arrays = new Set([weights.feeds(), weights.next(), apart ? weights.sums() : {}].flatMap(Object.values))
  const estimated = start + largest + [...arrays].reduce((sum, { byteLength }) => sum + byteLength, 0)
  return {
    losses,
    cpuSeconds: seconds.at(-1)!,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    estimatedMiB: estimated / 2 ** 20
  }
})

type Measured = Effect.Success<ReturnType<typeof measure>>

const inChild = (name: string): Measured => {
  const own = [import.meta.filename, name, "--child", "--steps", options.steps, "--threads", options.threads]
  const child = spawnSync(process.execPath, own, { encoding: "utf8", maxBuffer: 2 ** 24 })
  if (child.status !== 0) throw new Error(child.stderr || `${name} ended by ${child.signal}`)
  return JSON.parse(child.stdout) as Measured
}

const told = (name: string, { cpuSeconds, estimatedMiB, losses, peakMiB }: Measured): string =>
  `${name.padEnd(28)} ${(peakMiB / 1024).toFixed(2).padStart(6)} GiB (${(estimatedMiB / 1024).toFixed(2)} by shapes) ${
    cpuSeconds.toFixed(0).padStart(6)
  } s of CPU  ${losses.map((loss) => loss.toFixed(5)).join(" ")}`

const names = positionals.length === 0 ? Object.keys(cases) : positionals
if (options.child) {
  const session = cpu({ threads: Number(options.threads) })
  const found = measure(cases[names[0]!]!, Number(options.steps)).pipe(Effect.scoped, Effect.provide(session))
  process.stdout.write(`${JSON.stringify(await Effect.runPromise(found))}\n`)
} else {
  if (!options.json) process.stdout.write(`${cpus()[0]!.model}, ${options.threads} threads, ${options.steps} steps\n`)
  for (const name of names) {
    const found = inChild(name)
    process.stdout.write(options.json ? `${JSON.stringify({ name, ...found })}\n` : `${told(name, found)}\n`)
  }
}
