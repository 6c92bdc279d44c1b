/**
 * The programs of a joint step of large models, one at a time: how long, how much memory, how much of the chip.
 *
 *     node bench/cuda/large.ts --part reader|retriever|score|write [--steps 8] [--products float16|bfloat16]
 *         [--stored bfloat16]
 *         [--runs 3] [--provider cuda|cpu] [--layers 22] [--dropout 0] [--out FILE]
 *
 * The reader is shaped as a Llama of 1.1 billion parameters with adapters of rank 128 on all linear maps, and learns from
 * one text of 2,048 tokens: 7 passages of 256 tokens, question and answer. It judges the passages one by one, and writes
 * 64 tokens after each of 8 prompts of 512. The
 * retriever is a ColBERT of BERT-base's size, all of which learns from one question and its 7 passages. Weights mean
 * nothing. A line of JSON a run.
 */
import "../../src/cli/allocator.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { execFileSync } from "node:child_process"
import { appendFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Key from "../../src/domain/Key.ts"
import { flops } from "../../src/kernels/cost.ts"
import { type Half, toWords, type Values } from "../../src/kernels/half.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { colbert } from "../../src/kernels/nn/colbert.ts"
import { causalLm, type DecoderConfig } from "../../src/kernels/nn/decoder.ts"
import { adapt } from "../../src/kernels/nn/lora.ts"
import { type Flat, flatten } from "../../src/kernels/nn/Module.ts"
import { stored } from "../../src/kernels/nn/stored.ts"
import { adamw } from "../../src/kernels/optim/adamw.ts"
import { gradScaler } from "../../src/kernels/optim/gradScaler.ts"
import type { Steps } from "../../src/kernels/Step.ts"
import * as Learner from "../../src/runtime/engine/Learner.ts"
import { cpu, cuda } from "../../src/runtime/engine/providers.ts"
import { type Data, Session } from "../../src/runtime/engine/Session.ts"
import * as Weights from "../../src/runtime/engine/Weights.ts"
import { unconstrained } from "../../src/runtime/language/generation/constraints.ts"
import { batches, generate } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import { greedy } from "../../src/runtime/language/generation/sampling.ts"
import * as ReaderGraphs from "../../src/runtime/language/graphs.ts"
import * as RetrieverGraphs from "../../src/runtime/retrieval/dense/graphs.ts"

const { values: options } = parseArgs({
  options: {
    part: { type: "string", default: "reader" },
    steps: { type: "string", default: "8" },
    products: { type: "string", default: "float32" },
    stored: { type: "string", default: "float32" },
    runs: { type: "string", default: "3" },
    provider: { type: "string", default: "cuda" },
    layers: { type: "string", default: "" },
    dropout: { type: "string", default: "0" },
    out: { type: "string", default: "" }
  }
})
const half = (name: string): Half | undefined => name === "float32" ? undefined : name as Half
const [K, runs, dropout] = [Number(options.steps), Number(options.runs), Number(options.dropout)]
const [passages, passageLength, queryLength, textLength] = [7, 256, 32, 2048]

const began = performance.now()
const say = (line: object) => {
  const told = JSON.stringify({ ...options, out: undefined, ...line })
  process.stdout.write(`${told}\n`)
  if (options.out) appendFileSync(options.out, `${told}\n`)
}
const seconds = (since: number): number => Number(((performance.now() - since) / 1000).toFixed(2))

/** MiB that are taken of the GPU's memory; 0 without one. */
const taken = (): number => {
  try {
    const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return Number(execFileSync("nvidia-smi", query).toString().trim().split("\n")[0])
  } catch {
    return 0
  }
}

/** Numbers as if drawn at random from [-1, 1), over and over. */
const noise = (() => {
  const values = new Float32Array(2 ** 20)
  let state = 1
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state / 2 ** 31
  }
  return values
})()
const scaled = noise.map((x) => 0.035 * x)
const narrow = { float16: toWords(scaled, "float16"), bfloat16: toWords(scaled, "bfloat16") }
/** Small numbers, stored as a type. */
const random = (size: number, type: Half | undefined): Values => {
  const [data, from] = type ? [new Uint16Array(size), narrow[type]] : [new Float32Array(size), scaled]
  for (let i = 0; i < size; i += from.length) data.set(from.subarray(0, Math.min(from.length, size - i)), i)
  return data
}
const ids = (size: number, vocabulary: number): Int32Array =>
  Int32Array.from({ length: size }, (_, i) => 5 + Math.floor((noise[i % noise.length]! + 1) / 2 * (vocabulary - 6)))

const initial = (params: Flat): ReadonlyMap<string, Values> =>
  new Map([...params].map(([path, param]) => {
    const size = Nd.size(param.shape)
    if ("constant" in param.init) return [path, new Float32Array(size).fill(param.init.constant)]
    if (path.includes("lora_B")) return [path, new Float32Array(size)]
    return [path, random(size, param.stored)]
  }))

const optimizer = adamw({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })
const scaler = options.products === "float16" ? gradScaler : undefined
const learning = { optimizer, maxGradNorm: 1, scaler }
type Batch = Readonly<Record<string, Data>>

const llama: DecoderConfig = {
  vocab_size: 32000,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: Number(options.layers || 22),
  num_attention_heads: 32,
  num_key_value_heads: 4,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_parameters: { rope_type: "default", rope_theta: 10000 },
  tie_word_embeddings: false,
  hidden_dropout_prob: 0,
  initializer_range: 0.02
}
/** Norms are few, and are multiplied by as they are. */
const storedAs = (path: string) => path.includes("norm") ? undefined : half(options.stored)

const readerOf = () => {
  const decoder = causalLm(llama)
  const linear = [...flatten(decoder.params).keys()].filter((path) => path.includes("_proj."))
  const targets = new Map(linear.map((path) => [path.replace(/\.weight$/, ""), { r: 128, scaling: 2 }] as const))
  const adapted = adapt(decoder, { targets, dropout })
  const learns = (path: string) => path.includes(".lora_")
  return { module: stored(adapted, (path) => learns(path) ? undefined : storedAs(path)), learns }
}
/** `rows` texts of `length` tokens, of which the last 16 of each are predicted. */
const textsOf = (rows: number, length: number) => {
  const supervised = 16 * rows
  const each = (f: (at: number) => number) => Int32Array.from({ length: supervised }, (_, i) => f(i))
  return {
    shape: { rows, length, supervised },
    batch: {
      ids: ids(rows * length, 32000),
      positions: Int32Array.from({ length: rows * length }, (_, i) => i % length),
      branches: new Int32Array(rows * length),
      rows: each((i) => Math.floor(i / 16) * length + length - 17 + i % 16),
      targets: ids(supervised, 32000)
    }
  }
}

const reader = () => {
  const { learns, module } = readerOf()
  const { batch, shape } = textsOf(1, textLength)
  const weights = new Float32Array(shape.supervised).fill(1 / shape.supervised)
  const group = (path: string) => learns(path) ? "all" : undefined
  return {
    params: flatten(module.params),
    learns,
    lesson: ReaderGraphs.lesson(module, { ...learning, group, shape, shifted: false }),
    batch: { ...batch, weights, key: Int32Array.of(1) } as Batch
  }
}

const retriever = () => {
  const encoder = colbert({
    model_type: "bert",
    vocab_size: 30522,
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: Number(options.layers || 12),
    num_attention_heads: 12,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: dropout,
    initializer_range: 0.02,
    dim: 128
  })
  const shape = { questions: 1, queryLength, passages, passageLength }
  const [query, docs] = [queryLength, passages * passageLength]
  return {
    params: flatten(encoder.params),
    learns: () => true,
    lesson: RetrieverGraphs.lesson(encoder, {
      ...learning,
      group: () => "all",
      shape,
      n: passages,
      objective: { _tag: "Listwise" },
      temperature: 1,
      weight: 1
    }),
    batch: {
      queryIds: ids(query, 30522),
      queryMask: new Uint8Array(query).fill(1),
      docIds: ids(docs, 30522),
      docMask: new Uint8Array(docs).fill(1),
      docKeep: new Uint8Array(docs).fill(1),
      places: Int32Array.from({ length: passages }, (_, i) => i),
      wanted: Float32Array.from({ length: passages }, (_, i) => i === 0 ? 1 : 0),
      key: Int32Array.of(1)
    } as Batch
  }
}

interface Taught {
  readonly params: Flat
  readonly learns: (path: string) => boolean
  readonly lesson: Steps
  readonly batch: Batch
}
const learn = Effect.fnUntraced(function*({ batch, learns, lesson, params }: Taught) {
  const trainable = [...params.keys()].filter(learns)
  const weights = Weights.make(params, trainable, optimizer.slots, initial(params), {
    kept: (yield* Session).kept
  })
  const learner = yield* Learner.make({
    name: options.part,
    weights,
    optimizer,
    scaler,
    groups: { all: { learningRate: () => 1e-4, weightDecay: 0.01 } },
    lesson: (_: [number]) => lesson
  })
  const work = flops(lesson.whole())
  say({ prepared: seconds(began), parameters: trainable.reduce((n, path) => n + Nd.size(params.get(path)!.shape), 0) })
  const part = { key: [0] as [number], batch }
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    const reports = K === 1
      ? yield* learner.learn([part])
      : yield* learner.learnSeveral(Array.from({ length: K }, () => part))
    const took = (performance.now() - started) / 1000 / K
    const losses = reports.map((report) => Number(report["loss"]![0]!.toFixed(5)))
    const { skipped } = learner.progress()
    say({ run, ms: 1000 * took, tflops: work / took / 1e12, gpuMiB: taken(), losses, ...(scaler ? { skipped } : {}) })
  }
})

const score = Effect.gen(function*() {
  const { module } = readerOf()
  const { batch, shape } = textsOf(passages, 320)
  const params = flatten(module.params)
  const fixed = Weights.asInputs(initial(params))
  const graph = ReaderGraphs.score(module, shape)
  const program = yield* (yield* Session).compile<string, string>(graph, fixed)
  const work = flops(graph)
  say({ prepared: seconds(began) })
  for (let run = 0; run < runs * 4; run++) {
    const started = performance.now()
    const { nll } = yield* program.run({ ...fixed, ...batch })
    const took = (performance.now() - started) / 1000
    say({ run, ms: 1000 * took, tflops: work / took / 1e12, gpuMiB: taken(), nll: nll![0] })
  }
})

const write = Effect.gen(function*() {
  const [rows, prompt, fresh] = [8, 512, 64]
  const decoder = stored(causalLm(llama), storedAs)
  const session = yield* Session
  const fixed = Weights.asInputs(initial(flatten(decoder.params)))
  const program = yield* session.open(generation(llama, decoder), fixed)
  const generator = {
    program,
    cache: cacheShape(llama),
    kept: session.kept,
    weights: () => ({}),
    padding: 0,
    decode: () => "",
    ...batches("reader")
  }
  const prompts = Array.from({ length: rows }, (_, r) => ({
    ids: [...ids(prompt + r, 32000).subarray(r)],
    key: Key.make(r)
  }))
  const settings = { ...unconstrained, ...greedy, max_new_tokens: fresh, eos: new Set<number>(), stop_strings: [] }
  say({ prepared: seconds(began) })
  for (let run = 0; run < runs; run++) {
    const started = performance.now()
    let first = 0
    let written = 0
    yield* Stream.runForEach(generate(generator, prompts, settings), () =>
      Effect.sync(() => {
        first ||= performance.now()
        written++
      }))
    const ms = (performance.now() - first) / (written / rows - 1)
    say({ run, ms, first: first - started, tokensPerSecond: 1000 * rows / ms, gpuMiB: taken() })
  }
})

const layer = options.provider === "cuda"
  ? cuda({ device: 0, products: half(options.products) })
  : cpu({ threads: 2 })
const parts: Readonly<Record<string, () => Effect.Effect<void, unknown, any>>> = {
  reader: () => learn(reader()),
  retriever: () => learn(retriever()),
  score: () => score,
  write: () => write
}
await Effect.runPromise(parts[options.part]!().pipe(Effect.scoped, Effect.provide(layer)) as Effect.Effect<void>)
