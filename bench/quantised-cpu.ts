/**
 * How fast prompts are read and texts generated on the CPU from weights in float32 and in 8 and 4 bits, turn by turn, so
 * that all meet the machine in the same moods.
 *
 *     node bench/quantised-cpu.ts [--size 135M|120M|30M] [--forms none,int8,int4] [--block 32|128]
 *       [--activations int8|float32] [--batch 1,8] [--prompt 512] [--tokens 64] [--rounds 5] [--threads 2] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { contestant, median } from "./peers/contestant.ts"
import { inTurns, machine } from "./peers/turns.ts"
import * as RandomModel from "./randomModel.ts"

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "135M" },
    forms: { type: "string", default: "none,int8,int4" },
    block: { type: "string", default: "32" },
    activations: { type: "string", default: "int8" },
    batch: { type: "string", default: "1,8" },
    prompt: { type: "string", default: "512" },
    tokens: { type: "string", default: "64" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false }
  }
})

interface Turn {
  /** Seconds until every text has its first token, and until all have their last. */
  readonly first: number
  readonly seconds: number
  /** CPU seconds of all threads. */
  readonly cpu: number
  /** Peak resident bytes of the process so far. */
  readonly peak: number
}

const folder = mkdtempSync(join(tmpdir(), "quantised-"))
RandomModel.write(folder, options.size as RandomModel.SizeName)
const own = [
  "--model",
  folder,
  "--threads",
  options.threads,
  "--block",
  options.block,
  "--activations",
  options.activations
]
const program = join(import.meta.dirname, "peers", "generateOurs.ts")
const contestants = await Promise.all(
  options.forms.split(",").map((form) =>
    contestant<Turn>(form, process.execPath, [program, ...own, "--quantization", form])
  )
)
const [prompt, tokens, rounds] = [Number(options.prompt), Number(options.tokens), Number(options.rounds)]
const batches = options.batch.split(",").map(Number)
const measured = machine()
await inTurns(
  contestants,
  batches.flatMap((batch) => Array.from({ length: rounds + 1 }, () => ({ batch, prompt, tokens })))
)
rmSync(folder, { recursive: true })

/** Medians of a batch's rounds, the first of which only warms up, and how they are to the first contestant's. */
const results = batches.map((batch, at) => ({
  batch,
  forms: contestants.map(({ name, turns }) => {
    const of = (all: ReadonlyArray<Turn>) => all.slice(at * (rounds + 1) + 1, (at + 1) * (rounds + 1))
    const speeds = ({ first, seconds }: Turn) => [batch * prompt / first, batch * (tokens - 1) / (seconds - first)]
    const [mine, before] = [of(turns).map(speeds), of(contestants[0]!.turns).map(speeds)]
    return {
      name,
      read: median(mine.map(([read]) => read!)),
      written: median(mine.map(([, written]) => written!)),
      reading: median(mine.map(([read], i) => read! / before[i]![0]!)),
      writing: median(mine.map(([, written], i) => written! / before[i]![1]!)),
      cpu: median(of(turns).map(({ cpu }) => cpu)),
      peak: Math.max(...of(turns).map(({ peak }) => peak))
    }
  })
}))
const { cores, cpu, load } = measured()
const title = `${cpu}, ${cores} cores, load ${load.map((l) => l.toFixed(2)).join(" to ")}; ${options.size} parameters, `
  + `blocks of ${options.block}, activations ${options.activations}, prompts of ${prompt} tokens, ${tokens} new, ${options.threads} threads, ${rounds} rounds`
const lines = results.flatMap(({ batch, forms }) => [
  `batch ${batch}`,
  ...forms.map(({ cpu: spent, name, peak, read, reading, writing, written }) =>
    `  ${name.padEnd(6)} reads ${read.toFixed(0)} tokens/s (${reading.toFixed(2)}), writes ${written.toFixed(1)} (${
      writing.toFixed(2)
    }), CPU ${spent.toFixed(2)} s, peak ${(peak / 2 ** 20).toFixed(0)} MiB`
  )
])
process.stdout.write(
  options.json ? `${JSON.stringify({ title, options, results })}\n` : `${[title, ...lines].join("\n")}\n`
)
