/**
 * How fast prompts are read and continued on the CPU from quantised weights, here and by llama.cpp (node-llama-cpp's
 * prebuilt) from the same GGUF files, turn by turn, so that all meet the machine in the same moods. The files are
 * exported from the model into a temporary folder.
 *
 *     node bench/peers/read.ts --model FOLDER|FILE.gguf [--contestants none,int4,Q4_0,q4] [--batch 1,8] [--prompt 256]
 *       [--tokens 16] [--rounds 3] [--threads 2] [--only read,write] [--llama bench/peers/node_modules] [--exported FOLDER]
 *       [--python PYTHON] [--json]
 *
 * Contestants: `none`, `int8` and `int4`, read from Q8_0 and Q4_0 (`none` from Q8_0); each with `-fed`, whose likelihoods
 * are computed from weights that are fed, and `-exact`, which writes with float32 activations; `Q8_0` and `Q4_0` are
 * llama.cpp's, with `-native` by llama-cpp-python of PYTHON, built for the machine; `fp32`, `q8` and `q4` are transformers.js',
 * from FOLDER, an export with `--onnx` that quantise.py has written in 8 and 4 bits.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as SavedGguf from "../../src/runtime/models/export/gguf.ts"
import { contestant, median } from "./contestant.ts"
import { inTurns, machine } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    contestants: { type: "string", default: "none,int4,Q4_0" },
    batch: { type: "string", default: "1,8" },
    prompt: { type: "string", default: "256" },
    tokens: { type: "string", default: "16" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    only: { type: "string", default: "read,write" },
    llama: { type: "string", default: join(import.meta.dirname, "node_modules") },
    exported: { type: "string", default: "" },
    python: { type: "string", default: "python3" },
    json: { type: "boolean", default: false }
  }
})

interface Turn {
  /** Seconds until every text has its first token, and until all have their last; CPU seconds of all threads. */
  readonly first: number
  readonly firstCpu: number
  readonly seconds: number
  readonly cpu: number
  /** Peak resident bytes of the process so far. */
  readonly peak: number
  readonly texts: ReadonlyArray<ReadonlyArray<number>>
}

const [prompt, tokens, rounds] = [Number(options.prompt), Number(options.tokens), Number(options.rounds)]
const batches = options.batch.split(",").map(Number)
const folder = mkdtempSync(join(tmpdir(), "read-"))
const names = options.contestants.split(",")
const typeOf = (name: string) => /^(int4|Q4_0)/.test(name) ? "Q4_0" : "Q8_0"
const fileOf = (type: string) => join(folder, `${type}.gguf`)
await Effect.runPromise(
  Effect.forEach(
    new Set(names.map(typeOf)),
    (type) => Effect.scoped(SavedGguf.save(options.model, fileOf(type), "read", type))
  ).pipe(Effect.provide(Layer.merge(cpu({ threads: 1 }), NodeFileSystem.layer)))
)
/** Packages are looked up from a module's own folder: llama.cpp's may be anywhere. */
const peer = join(folder, "readLlama.mjs")
cpSync(join(import.meta.dirname, "readLlama.mjs"), peer)
symlinkSync(resolve(options.llama), join(folder, "node_modules"))

const started = (name: string) => {
  const own = ["--model", fileOf(typeOf(name)), "--threads", options.threads]
  const [form, ...how] = name.split("-")
  if (form!.startsWith("Q")) {
    const room = ["--batch", String(Math.max(...batches)), "--context", String(prompt + tokens + 8)]
    return how.includes("native")
      ? contestant<Turn>(name, options.python, [join(import.meta.dirname, "read_llama.py"), ...own, ...room])
      : contestant<Turn>(name, process.execPath, [peer, ...own, ...room])
  }
  if (/^(fp32|q[48])$/.test(form!)) {
    const from = ["--model", resolve(options.exported), "--threads", options.threads, "--dtype", form!, "--spin"]
    return contestant<Turn>(name, process.execPath, [join(import.meta.dirname, "generate.mjs"), ...from])
  }
  const flags = [
    ...(how.includes("fed") ? ["--fed"] : []),
    ...(how.includes("exact") ? ["--activations", "float32"] : [])
  ]
  const program = join(import.meta.dirname, "readOurs.ts")
  return contestant<Turn>(name, process.execPath, [program, ...own, "--quantization", form!, ...flags])
}
const contestants = await Promise.all(names.map(started))
const kinds = options.only.split(",")
const asked = kinds.flatMap((kind) => batches.map((batch) => ({ batch, prompt, tokens: kind === "read" ? 0 : tokens })))
const measured = machine()
await inTurns(contestants, asked.flatMap((one) => Array.from({ length: rounds + 1 }, () => one)))
rmSync(folder, { recursive: true })

const least = (values: ReadonlyArray<number>): number => Math.min(...values)
const most = (values: ReadonlyArray<number>): number => Math.max(...values)

/** Tokens a CPU second and a second, medians of a kind's rounds, the first of which only warms up. */
const results = asked.map(({ batch, tokens: wanted }, at) => {
  const figuresOf = (turn: Turn) =>
    wanted === 0
      ? [batch * prompt / turn.cpu, batch * prompt / turn.seconds]
      : [
        batch * (wanted - 1) / (turn.cpu - turn.firstCpu),
        batch * (wanted - 1) / (turn.seconds - turn.first),
        batch * prompt / turn.firstCpu,
        batch * prompt / turn.first
      ]
  const of = (all: ReadonlyArray<Turn>) => all.slice(at * (rounds + 1) + 1, (at + 1) * (rounds + 1))
  const before = of(contestants[0]!.turns).map(figuresOf)
  return {
    batch,
    tokens: wanted,
    contestants: contestants.map(({ name, turns }) => {
      const own = of(turns).map(figuresOf)
      const pairs = own.map((figures, i) => figures.map((value, k) => value / before[i]![k]!))
      return {
        name,
        figures: own[0]!.map((_, k) => median(own.map((figures) => figures[k]!))),
        ratios: own[0]!.map((_, k) => [median, least, most].map((f) => f(pairs.map((pair) => pair[k]!)))),
        peak: Math.max(...of(turns).map(({ peak }) => peak)),
        texts: of(turns)[0]!.texts
      }
    })
  }
})

const told = (figure: number, ratio: ReadonlyArray<number>): string => {
  const [middle, low, high] = ratio.map((r) => r.toFixed(2))
  return `${figure.toFixed(figure < 100 ? 1 : 0)} (${middle}; ${low} to ${high})`
}
const lines = results.flatMap(({ batch, contestants: all, tokens: wanted }) => [
  `batch ${batch}, ${wanted === 0 ? "likelihoods" : "writing"}`,
  ...all.map(({ figures, name, peak, ratios }) => {
    const [spent, clock, readCpu, readClock] = figures.map((figure, k) => told(figure, ratios[k]!))
    const reading = readCpu === undefined ? "" : `; prompts ${readCpu} a CPU second, ${readClock} a second`
    return `  ${name.padEnd(11)} ${spent} tokens a CPU second, ${clock} a second${reading}; peak ${
      (peak / 2 ** 20).toFixed(0)
    } MiB`
  })
])
const { cores, cpu: model, load } = measured()
const title =
  `${model}, ${cores} cores, load ${load.map((l) => l.toFixed(2)).join(" to ")}; prompts of ${prompt} tokens, `
  + `${tokens} new, ${options.threads} threads, ${rounds} rounds; in parentheses as a multiple of the first, and of each pair`
process.stdout.write(
  options.json ? `${JSON.stringify({ title, options, results })}\n` : `${[title, ...lines].join("\n")}\n`
)
