/**
 * How fast texts are generated on the CPU, here and by transformers.js from the exported ONNX model, turn by turn, so
 * that both meet the machine in the same moods. Without its packages (`npm install` in bench/peers), here alone.
 *
 *     node bench/generate-cpu.ts [--size 135M|30M] [--batch 1,8] [--prompt 512] [--tokens 64] [--rounds 5] [--threads 2]
 */
import "../src/cli/allocator.ts"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as OnnxFolder from "../src/runtime/models/export/onnx.ts"
import { contestant, median } from "./peers/contestant.ts"
import { inTurns, machine } from "./peers/turns.ts"
import * as RandomModel from "./randomModel.ts"

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "135M" },
    batch: { type: "string", default: "1,8" },
    prompt: { type: "string", default: "512" },
    tokens: { type: "string", default: "64" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    spin: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
})

interface Turn {
  /** Seconds until every text has its first token, and until all have their last. */
  readonly first: number
  readonly seconds: number
  /** Of all threads. */
  readonly cpu: number
  readonly texts: ReadonlyArray<ReadonlyArray<number>>
}

const here = (file: string) => join(import.meta.dirname, "peers", file)
const folder = mkdtempSync(join(tmpdir(), "generate-"))
const model = join(folder, "model")
RandomModel.write(model, options.size as RandomModel.SizeName)
await Effect.runPromise(OnnxFolder.add(model).pipe(Effect.provide(NodeFileSystem.layer)))

const args = ["--model", model, "--threads", options.threads]
const contestants = [await contestant<Turn>("here", process.execPath, [here("generateOurs.ts"), ...args])]
if (existsSync(here("node_modules"))) {
  const own = [here("generate.mjs"), ...args, ...(options.spin ? ["--spin"] : [])]
  contestants.push(await contestant<Turn>("transformers.js", process.execPath, own))
}
const [prompt, tokens, rounds] = [Number(options.prompt), Number(options.tokens), Number(options.rounds)]
const batches = options.batch.split(",").map(Number)
const measured = machine()
await inTurns(
  contestants,
  batches.flatMap((batch) => Array.from({ length: rounds + 1 }, () => ({ batch, prompt, tokens })))
)
rmSync(folder, { recursive: true })

/** Figures of a batch's rounds, the first of which only warms up. */
const figures = (turns: ReadonlyArray<Turn>, batch: number, at: number) => {
  const own = turns.slice(at * (rounds + 1) + 1, (at + 1) * (rounds + 1))
  const steps = own.map(({ first, seconds }) => (seconds - first) / (tokens - 1))
  return {
    first: own.map((t) => t.first),
    speed: steps.map((s) => batch / s),
    cpu: own.map((t) => t.cpu),
    texts: own[0]!.texts
  }
}

const fixed = (value: number, digits = 2): string => value.toFixed(digits)
const spread = (values: ReadonlyArray<number>, digits = 2): string =>
  `${fixed(median(values), digits)} (${fixed(Math.min(...values), digits)} to ${fixed(Math.max(...values), digits)})`

const results = batches.map((batch, at) => ({
  batch,
  contestants: contestants.map(({ name, turns }) => Object.assign({ name }, figures(turns, batch, at)))
}))
const lines = results.flatMap(({ batch, contestants: [ours, theirs] }) => {
  const told = [ours!, ...(theirs ? [theirs] : [])].map(({ cpu, first, name, speed }) =>
    `  ${name.padEnd(16)} first token ${spread(first)} s, then ${spread(speed, 1)} tokens/s, CPU ${
      fixed(median(cpu))
    } s`
  )
  if (!theirs) return [`batch ${batch}`, ...told]
  const pairs = (f: (i: number) => number) => spread(ours!.first.map((_, i) => f(i)))
  const same = ours!.texts.flat().filter((id, i) => id === theirs.texts.flat()[i]).length / ours!.texts.flat().length
  return [
    `batch ${batch}`,
    ...told,
    `  here: ${pairs((i) => ours!.first[i]! / theirs.first[i]!)} of their time to the first token, `
    + `${pairs((i) => ours!.speed[i]! / theirs.speed[i]!)} times their tokens/s, `
    + `${fixed(median(ours!.cpu) / median(theirs.cpu))} of their CPU time; ${
      fixed(100 * same, 1)
    }% of the tokens the same`
  ]
})
const { cores, cpu, load } = measured()
const title = `${cpu}, ${cores} cores, load ${load.map((l) => fixed(l)).join(" to ")}; ${options.size} `
  + `parameters, prompts of ${prompt} tokens, ${tokens} new, ${options.threads} threads, ${rounds} rounds`
process.stdout.write(
  options.json ? `${JSON.stringify({ title, options, results })}\n` : `${[title, ...lines].join("\n")}\n`
)
