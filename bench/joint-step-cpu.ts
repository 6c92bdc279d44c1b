/**
 * How fast the joint step is on the CPU, and where its time goes.
 *
 *     node bench/joint-step-cpu.ts [--size demo|wide] [--blocks 5] [--threads 2] [--json]
 */
import "../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { logger } from "../src/cli/terminal.ts"
import { flops } from "../src/kernels/cost.ts"
import { cpu } from "../src/runtime/engine/providers.ts"
import type { Run } from "../src/runtime/engine/tracing.ts"
import { Retriever } from "../src/runtime/ports/Retriever.ts"
import { type Block, block, snapshot, type Split, stageNames, STEPS } from "./steps.ts"
import { Stopwatch } from "./stopwatch.ts"
import { layer, prepare, type SizeName, sizes } from "./system.ts"

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "demo" },
    blocks: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false }
  }
})
const [size, blocks, threads] = [options.size as SizeName, Number(options.blocks), Number(options.threads)]

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2
}

/** Work and time of the programs whose names start with `prefix`, over a block. */
const rate = (runs: ReadonlyArray<Run>, watch: Stopwatch, prefix: string) => {
  const work = runs.filter(({ graph }) => graph.name.startsWith(prefix)).reduce((sum, r) => sum + flops(r.graph), 0)
  const milliseconds = watch.total(`ort ${prefix}`)
  return { prefix, gflop: work / 1e9, milliseconds, gflops: work / 1e6 / milliseconds }
}
const programs = ["retriever.encode", "retriever.search", "reader.score", "retriever.learn", "reader.learn"]

interface Sample {
  readonly ran: Block
  readonly rates: ReadonlyArray<ReturnType<typeof rate>>
}

const measure = Effect.gen(function*() {
  const prepared = yield* prepare(size)
  let runs: Array<Run> = []
  const watch = new Stopwatch((run) => void runs.push(run))
  const system = layer(prepared, cpu({ threads }))
  return yield* Effect.gen(function*() {
    const restore = snapshot(system.parts)
    const refreshed = performance.now()
    yield* (yield* Retriever).refresh
    const indexing = performance.now() - refreshed
    yield* block(prepared, watch)
    const samples: Array<Sample> = []
    for (let i = 0; i < blocks; i++) {
      yield* restore
      watch.spent.clear()
      runs = []
      const ran = yield* block(prepared, watch)
      samples.push({ ran, rates: programs.map((prefix) => rate(runs, watch, prefix)) })
    }
    return { samples, indexing, passages: prepared.passages.length }
  }).pipe(Effect.provide(system.layer))
}).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, logger]))

/** Milliseconds a step: medians over blocks. */
const report = ({ indexing, passages, samples }: Effect.Success<typeof measure>) => {
  const step = (f: (sample: Sample) => number) => median(samples.map(f)) / STEPS
  const whole = step(({ ran }) => ran.milliseconds)
  const stages = stageNames.map((stage) => {
    const of = (f: keyof Split) => step(({ ran }) => ran.splits.get(stage)![f])
    return {
      stage,
      total: of("stage"),
      ort: of("ort"),
      host: of("port") - of("ort"),
      plumbing: of("stage") - of("port")
    }
  })
  const rest = (of: "ort" | "port") =>
    step(({ ran }) => ran.milliseconds - [...ran.splits.values()].reduce((sum, split) => sum + split[of], 0))
  return {
    machine: { cpu: cpus()[0]!.model, cores: cpus().length, node: process.version },
    size,
    threads,
    batch: sizes[size].batch,
    passages,
    blocks,
    stepsPerBlock: STEPS,
    indexSeconds: indexing / 1000,
    step: whole,
    spread: [0, 1].map((q) => samples.map(({ ran }) => ran.milliseconds / STEPS).toSorted((a, b) => a - b).at(-q)!),
    questionsPerSecond: sizes[size].batch * 1000 / whole,
    stages,
    outsideOrt: { milliseconds: rest("ort"), share: rest("ort") / whole },
    plumbing: { milliseconds: rest("port"), share: rest("port") / whole },
    programs: programs.map((prefix, i) => ({
      prefix,
      milliseconds: step(({ rates }) => rates[i]!.milliseconds),
      gflop: step(({ rates }) => rates[i]!.gflop),
      gflops: median(samples.map(({ rates }) => rates[i]!.gflops))
    }))
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`
const row = (cells: ReadonlyArray<string>): string =>
  cells.map((c, i) => i === 0 ? c.padEnd(18) : c.padStart(10)).join("")
const fixed = (value: number): string => value.toFixed(2)

const table = (r: ReturnType<typeof report>): string =>
  [
    `${r.machine.cpu}, ${r.machine.cores} cores; ${r.threads} threads; size ${r.size}, batch ${r.batch}, ${r.passages} `
    + `passages; medians of ${r.blocks} blocks of ${r.stepsPerBlock} steps`,
    `${r.questionsPerSecond.toFixed(1)} questions/s, ${fixed(r.step)} ms a step (${r.spread.map(fixed).join(" to ")}); `
    + `index in ${fixed(r.indexSeconds)} s`,
    "",
    row(["stage", "ms/step", "ORT", "host", "plumbing", "share"]),
    ...r.stages.map((s) =>
      row([s.stage, ...[s.total, s.ort, s.host, s.plumbing].map(fixed), percent(s.total / r.step)])
    ),
    `outside ORT ${fixed(r.outsideOrt.milliseconds)} ms, ${percent(r.outsideOrt.share)}; plumbing (Effect and Arrow) ${
      fixed(r.plumbing.milliseconds)
    } ms, `
    + percent(r.plumbing.share),
    "",
    row(["program", "ms/step", "GFLOP", "GFLOP/s"]),
    ...r.programs.map((p) => row([p.prefix, fixed(p.milliseconds), p.gflop.toFixed(3), fixed(p.gflops)])),
    ""
  ].join("\n")

const result = report(await Effect.runPromise(measure))
process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : table(result))
