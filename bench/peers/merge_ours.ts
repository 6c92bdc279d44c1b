/**
 * Merges by a config on request: one line in, one line of JSON out. The process is warm: it has merged once.
 *
 *     node bench/peers/merge_ours.ts CONFIG [--threads 2]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { rmSync } from "node:fs"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { mergeModels } from "../../src/programs/mergeModels.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Reporter from "../../src/runtime/ports/Reporter.ts"
import { peak, say } from "./measured.ts"

const { positionals: [config], values: options } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" } }
})

const merge = (out: string) => mergeModels(config!, out, { maxShardSize: "5GB", seed: 0 })
const once = Effect.fnUntraced(function*(line: string) {
  const { out } = JSON.parse(line) as { readonly out: string }
  peak()
  const [before, start] = [process.cpuUsage(), performance.now()]
  yield* merge(`${out}-here`)
  const { system, user } = process.cpuUsage(before)
  say({ seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, peak: peak() })
})

const serve = Effect.gen(function*() {
  const first = `${config!}-here`
  yield* merge(first)
  rmSync(first, { recursive: true })
  say({ startPeak: peak() })
  yield* Stream.runForEach(Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String), once)
})

await Effect.runPromise(
  serve.pipe(
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.provide(Layer.mergeAll(NodeFileSystem.layer, cpu({ threads: Number(options.threads) }), Reporter.silent))
  )
)
