/**
 * Prompts read, and continued greedily, on request: `{ batch, prompt, tokens }` in, times and tokens out, a line of JSON
 * each. Without new tokens, the likelihood of each prompt's last token is computed, as the reader is asked for it.
 *
 *     node bench/peers/readOurs.ts --model FOLDER|FILE.gguf [--threads 2] [--quantization none|int8|int4]
 *       [--activations int8|float32] [--fed]
 *
 * With `--fed`, the programs of likelihoods are fed the weights, as where they learn, in place of having them within.
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import * as Key from "../../src/domain/Key.ts"
import type { ModelSettings } from "../../src/domain/settings/model.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { cached, lazily } from "../../src/runtime/engine/Programs.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import * as Folder from "../../src/runtime/language/folder.ts"
import { unconstrained } from "../../src/runtime/language/generation/constraints.ts"
import { batches, generate } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import { greedy } from "../../src/runtime/language/generation/sampling.ts"
import * as Graphs from "../../src/runtime/language/graphs.ts"
import { pack } from "../../src/runtime/language/pack.ts"
import * as Scoring from "../../src/runtime/language/scoring.ts"
import type { Sequence } from "../../src/runtime/language/sequences.ts"
import * as Model from "../../src/runtime/models/load.ts"
import * as Quantisation from "../../src/runtime/models/quantisation.ts"
import { say } from "./measured.ts"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    threads: { type: "string", default: "2" },
    quantization: { type: "string", default: "none" },
    activations: { type: "string", default: "int8" },
    fed: { type: "boolean", default: false }
  }
})

export interface Asked {
  readonly batch: number
  readonly prompt: number
  readonly tokens: number
}

const chosen = {
  ...unconstrained,
  ...greedy,
  eos: new Set<number>(),
  stop_strings: []
}

/** A text whose last token is supervised. */
const sequenceOf = (ids: ReadonlyArray<number>): Sequence => ({
  ids,
  positions: [...ids.keys()],
  branches: ids.map(() => 0),
  supervised: [{ row: ids.length - 2, target: ids.at(-1)!, weight: 1, part: 0 }]
})

const serve = Effect.gen(function*() {
  const began = performance.now()
  const opened = yield* Folder.open(options.model, { max_length: 1024, apply_chat_template: false })
  const { config, module: decoder, weights } = yield* Model.load(opened, causalLm, {
    seed: 0,
    lora: undefined,
    learns: () => false,
    slots: [],
    task: "CAUSAL_LM",
    quantisation: Quantisation.quantisationOf({
      quantization: options.quantization as ModelSettings["quantization"],
      quantization_block_size: 32
    })
  })
  const session = yield* Session
  const padded = { padding: opened.ends.padding, most: 1024 }
  const within = yield* Scoring.make({ model: "reader", decoder, weights, ...padded })
  const feeding = yield* cached(([rows, length, supervised]: [number, number, number]) =>
    Graphs.score(decoder, { rows, length, supervised })
  )
  const fed = Effect.fnUntraced(function*(own: ReadonlyArray<Sequence>) {
    const { data, places, shape } = pack(own, { rows: own.length, all: false, ...padded })
    const { nll } = yield* feeding([shape.rows, shape.length, shape.supervised], { ...weights.values(), ...data })
    return places.map(([place]) => [nll![place!]!])
  })
  const program = yield* lazily(
    session.open(generation(config, decoder, "reader", options.activations === "int8"), weights.values())
  )
  const generator = {
    cache: cacheShape(config),
    kept: session.kept,
    weights: () => ({}),
    padding: opened.ends.padding,
    decode: () => "",
    ...batches("reader")
  }
  say({ loading: (performance.now() - began) / 1000 })

  const once = Effect.fnUntraced(function*({ batch, prompt, tokens }: Asked) {
    const ids = Array.from(
      { length: batch },
      (_, r) => Array.from({ length: prompt }, (_, i) => (7919 * i + 104_729 * r) % config.vocab_size)
    )
    const texts = ids.map(() => new Array<number>())
    const before = process.cpuUsage()
    const start = performance.now()
    const spent = () => {
      const { system, user } = process.cpuUsage(before)
      return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }
    }
    let first: ReturnType<typeof spent> | undefined
    if (tokens === 0) {
      const sequences = ids.map(sequenceOf)
      const found = options.fed ? yield* fed(sequences) : yield* within.likelihoods(sequences, ids.map(() => 1), "sum")
      found.forEach(([nll], r) => texts[r]!.push(nll!))
    } else {
      const prompts = ids.map((own, r) => ({ ids: own, key: Key.make(r) }))
      const open = yield* program
      yield* Stream.runForEach(
        generate({ ...generator, program: open }, prompts, { ...chosen, max_new_tokens: tokens }),
        ({ id, row }) =>
          Effect.sync(() => {
            texts[row]!.push(id)
            if (row === batch - 1) first ??= spent()
          })
      )
    }
    const whole = spent()
    const { cpu: firstCpu, seconds: firstSeconds } = first ?? whole
    const peak = process.resourceUsage().maxRSS * 1024
    say({ first: firstSeconds, firstCpu, ...whole, peak, texts })
  })
  const asked = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String)
  yield* Stream.runForEach(asked, (line) => once(JSON.parse(line) as Asked))
})

await Effect.runPromise(
  serve.pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.provide(Layer.merge(cpu({ threads: Number(options.threads) }), NodeFileSystem.layer))
  )
)
