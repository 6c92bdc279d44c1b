/**
 * Blocks of joint steps on request: one line in, one line of JSON out. Records the block for the peers first.
 *
 *     node bench/peers/ours.ts --record FOLDER [--size demo|wide] [--threads 2]
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import type { Run } from "../../src/runtime/engine/tracing.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"
import { block, snapshot } from "../steps.ts"
import { Stopwatch } from "../stopwatch.ts"
import { layer, prepare, type SizeName } from "../system.ts"
import { say } from "./measured.ts"
import * as Record from "./record.ts"

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "demo" },
    threads: { type: "string", default: "2" },
    record: { type: "string", default: "" }
  }
})

const serve = Effect.gen(function*() {
  const prepared = yield* prepare(options.size as SizeName)
  let runs: Array<Run> | undefined = []
  const watch = new Stopwatch((run) => void runs?.push(run))
  const system = layer(prepared, cpu({ threads: Number(options.threads) }))
  yield* Effect.gen(function*() {
    const restore = snapshot(system.parts)
    yield* watch.around((yield* Retriever).refresh)
    const index = runs!
    runs = []
    const ran = yield* block(prepared, watch)
    yield* restore
    yield* Record.write(options.record, prepared, system.parts, { index, runs, ran })
    runs = undefined
    say({ ready: true })
    const once = Effect.gen(function*() {
      yield* restore
      const before = process.cpuUsage()
      const { milliseconds } = yield* block(prepared, watch)
      const { system, user } = process.cpuUsage(before)
      say({ seconds: milliseconds / 1000, cpu: (user + system) / 1e6 })
    })
    const asked = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String)
    yield* Stream.runForEach(asked, () => once)
  }).pipe(Effect.provide(system.layer))
}).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, logger]))

await Effect.runPromise(serve)
