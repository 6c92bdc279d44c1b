/**
 * A block of joint steps on a provider, the same ones from the same weights as everywhere: how long, and its losses.
 *
 *     node bench/cuda/joint.ts --provider cpu|cuda|webgpu|simulated [--size demo|wide] [--steps 1|8]
 *         [--products float16|bfloat16]
 *         [--save FILE] [--against FILE] [--out FILE]
 *
 * With `--steps 8` the block is one run of each model's program, from what was found before the first. Losses are saved,
 * and those saved elsewhere are compared: the greatest difference, relative to the loss where that is above 1.
 */
import "../../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { logger } from "../../src/cli/terminal.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { Lesson } from "../../src/domain/tables.ts"
import type { Half } from "../../src/kernels/half.ts"
import { cpu, cuda, simulated, webgpu } from "../../src/runtime/engine/providers.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"
import { llmRanked } from "../../src/stages/pipelines.ts"
import { studyOptions } from "../../src/systems/jmlr/study.ts"
import { batches, snapshot, STEPS } from "../steps.ts"
import { Stopwatch } from "../stopwatch.ts"
import { layer, prepare, type SizeName, sizes } from "../system.ts"

const { values: options } = parseArgs({
  options: {
    provider: { type: "string", default: "cuda" },
    size: { type: "string", default: "demo" },
    steps: { type: "string", default: "1" },
    products: { type: "string", default: "float32" },
    threads: { type: "string", default: "8" },
    blocks: { type: "string", default: "3" },
    save: { type: "string", default: "" },
    against: { type: "string", default: "" },
    out: { type: "string", default: "" }
  }
})
const size = options.size as SizeName
const sessions = {
  cpu: () => cpu({ threads: Number(options.threads) }),
  cuda: () => cuda({ device: 0, products: options.products === "float32" ? undefined : options.products as Half }),
  webgpu: () => webgpu,
  simulated: () => simulated
}
const session = sessions[options.provider as keyof typeof sessions]()

type Losses = ReadonlyArray<ReadonlyArray<number>>

/** Of each step, the losses of its questions: the retriever's, then the reader's. */
const lossesOf = (rows: Frame.Frame<typeof Lesson>): ReadonlyArray<number> => [
  ...Frame.column(rows, "retrieverLoss"),
  ...Frame.column(rows, "readerLoss")
]

const apart = (one: Losses, other: Losses): number =>
  one.flatMap((step, k) => step.map((x, i) => Math.abs(x - other[k]![i]!) / Math.max(1, Math.abs(other[k]![i]!))))
    .reduce((a, b) => Math.max(a, b), 0)

const main = Effect.gen(function*() {
  const prepared = yield* prepare(size)
  const watch = new Stopwatch(() => undefined)
  const system = layer(prepared, session)
  const { learn, learnSeveral } = llmRanked(studyOptions(prepared.config))
  const asked = yield* Stream.runCollect(batches(prepared))
  const block = Effect.suspend(() =>
    options.steps === "1" ? Effect.forEach(asked, (rows) => learn(rows)) : learnSeveral(asked, true)
  )
  return yield* Effect.gen(function*() {
    const restore = snapshot(system.parts)
    const started = performance.now()
    yield* (yield* Retriever).refresh
    const index = performance.now() - started
    let losses: Losses = []
    const times: Array<number> = []
    for (let i = 0; i <= Number(options.blocks); i++) {
      yield* restore
      watch.spent.clear()
      const started = performance.now()
      losses = (yield* watch.around(block)).map((rows) => lossesOf(rows as unknown as Frame.Frame<typeof Lesson>))
      times.push((performance.now() - started) / STEPS)
    }
    const [first, ...rest] = times
    const ms = rest.toSorted((a, b) => a - b)[Math.floor(rest.length / 2)]!
    const programs = Object.fromEntries(
      [...watch.spent].filter(([name]) => name.startsWith("ort")).map(([name, { calls, milliseconds }]) => [
        name,
        `${calls} x ${(milliseconds / calls).toFixed(1)} ms`
      ])
    )
    return { losses, told: { index, first, ms, questionsPerSecond: sizes[size].batch * 1000 / ms, programs } }
  }).pipe(Effect.provide(system.layer))
}).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, logger]))

const { losses, told } = await Effect.runPromise(main)
if (options.save) writeFileSync(options.save, JSON.stringify(losses))
const off = options.against ? { off: apart(losses, JSON.parse(readFileSync(options.against, "utf8")) as Losses) } : {}
const { provider, products, size: named, steps } = options
const line = JSON.stringify({ part: "joint", provider, size: named, steps, products, ...told, ...off })
process.stdout.write(`${line}\n`)
if (options.out) appendFileSync(options.out, `${line}\n`)
