/**
 * Texts generated on request, greedily: `{ batch, prompt, tokens }` in, times and tokens out, a line of JSON each.
 *
 *     node bench/peers/generateOurs.ts --model FOLDER [--threads 2] [--quantization none|int8|int4] [--block 32|128]
 *       [--activations int8|float32]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import * as Key from "../../src/domain/Key.ts"
import type { ModelSettings } from "../../src/domain/settings/model.ts"
import { cacheShape } from "../../src/kernels/nn/cache.ts"
import { causalLm } from "../../src/kernels/nn/decoder.ts"
import { flatten } from "../../src/kernels/nn/Module.ts"
import { quantised } from "../../src/kernels/nn/quantised.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Session } from "../../src/runtime/engine/Session.ts"
import { asInputs } from "../../src/runtime/engine/Weights.ts"
import { decodeDecoder } from "../../src/runtime/files/config/decoder.ts"
import { decodeFile } from "../../src/runtime/files/disk.ts"
import { ofDecoder } from "../../src/runtime/files/stateDict.ts"
import { unconstrained } from "../../src/runtime/language/generation/constraints.ts"
import { batches, generate } from "../../src/runtime/language/generation/generate.ts"
import { generation } from "../../src/runtime/language/generation/graphs.ts"
import { greedy } from "../../src/runtime/language/generation/sampling.ts"
import * as ModelFolder from "../../src/runtime/models/folder.ts"
import * as Quantisation from "../../src/runtime/models/quantisation.ts"
import { say } from "./measured.ts"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    threads: { type: "string", default: "2" },
    quantization: { type: "string", default: "none" },
    block: { type: "string", default: "32" },
    activations: { type: "string", default: "int8" }
  }
})
const quantisation = Quantisation.quantisationOf({
  quantization: options.quantization as ModelSettings["quantization"],
  quantization_block_size: Number(options.block) as ModelSettings["quantization_block_size"]
})
const packer = quantisation && Quantisation.packer(quantisation, () => true)

export interface Asked {
  readonly batch: number
  readonly prompt: number
  readonly tokens: number
}

const serve = Effect.gen(function*() {
  const began = performance.now()
  const config = yield* decodeFile(join(options.model, "config.json"), decodeDecoder)
  const base = causalLm(config)
  const decoder = quantisation ? quantised(base, Quantisation.chosen(quantisation, () => true)) : base
  const weights = yield* ModelFolder.stored(options.model, flatten(base.params), 0, {
    naming: ofDecoder(config),
    ...(packer ? { pack: packer.pack } : {})
  })
  const session = yield* Session
  const program = yield* session.open(
    generation(config, decoder, "decoder", options.activations === "int8"),
    asInputs(weights)
  )
  const generator = {
    program,
    cache: cacheShape(config),
    kept: session.kept,
    weights: () => ({}),
    padding: 0,
    decode: () => "",
    ...batches("reader")
  }
  const settings = {
    ...unconstrained,
    ...greedy,
    eos: new Set<number>(),
    stop_strings: []
  }
  say({ loading: (performance.now() - began) / 1000 })
  const once = Effect.fnUntraced(function*({ batch, prompt, tokens }: Asked) {
    const prompts = Array.from({ length: batch }, (_, r) => ({
      ids: Array.from({ length: prompt }, (_, i) => (7919 * i + 104_729 * r) % config.vocab_size),
      key: Key.make(r)
    }))
    const texts = prompts.map(() => new Array<number>())
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    let first = 0
    yield* Stream.runForEach(
      generate(generator, prompts, { ...settings, max_new_tokens: tokens }),
      ({ id, row }) =>
        Effect.sync(() => {
          texts[row]!.push(id)
          if (row === batch - 1) first ||= performance.now() - start
        })
    )
    const { system, user } = process.cpuUsage(cpuBefore)
    const [seconds, peak] = [(performance.now() - start) / 1000, process.resourceUsage().maxRSS * 1024]
    say({ first: first / 1000, seconds, cpu: (user + system) / 1e6, peak, texts })
  })
  const asked = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String)
  yield* Stream.runForEach(asked, (line) => once(JSON.parse(line) as Asked))
})

await Effect.runPromise(
  serve.pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(cpu({ threads: Number(options.threads) }), NodeFileSystem.layer, logger))
  )
)
