/**
 * A LoRA step of a decoder of 120 million parameters here and in PyTorch with transformers and peft, step by step in
 * turn: time, and peak resident memory.
 *
 *     node bench/peers/lora.ts --python PYTHON [--setting plain|release|qlora] [--threads 2] [--steps 5] [--length 512] [--json]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { write } from "../randomModel.ts"
import { contestant } from "./contestant.ts"
import { compared, inTurns, machine, type Time, tuned } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    setting: { type: "string", default: "plain" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    length: { type: "string", default: "512" },
    json: { type: "boolean", default: false }
  }
})

interface Ready {
  readonly parameters: number
  readonly trainable: number
  readonly firstStep: number
  /** Greatest resident memory up to the end of the first step. */
  readonly startPeak: number
}
interface Step extends Time {
  readonly loss: number
  readonly peak: number
}

const here = (file: string) => join(import.meta.dirname, file)
const folder = mkdtempSync(join(tmpdir(), "lora-"))
write(join(folder, "base"), "120M")
const threads = ["--threads", options.threads]
const ours = [
  here("lora_ours.ts"),
  "--record",
  folder,
  "--setting",
  options.setting,
  "--length",
  options.length,
  ...threads
]
const theirs = [here("lora_step.py"), folder, ...threads]

const measured = machine()
/** The tuned allocator is faster and keeps more: time is that of the one, memory that of the other. */
const contestants = [
  await contestant<Step>("here", process.execPath, ours),
  await contestant<Step>("PyTorch, tuned", options.python, theirs, tuned),
  await contestant<Step>("PyTorch, as it is", options.python, theirs)
]
await inTurns(contestants, Array.from({ length: Number(options.steps) }, () => ({})))
rmSync(folder, { recursive: true })

const first = contestants[0]!.turns
const results = compared(contestants)
const peakOf = (times: ReadonlyArray<Step>): number => Math.max(...times.map((t) => t.peak))
const offOf = (times: ReadonlyArray<Step>): number =>
  Math.max(...times.map((t, i) => Math.abs(t.loss - first[i]!.loss) / first[i]!.loss))
const fixed = (value: number): string => value.toFixed(2)
const gigabytes = (bytes: number): string => `${fixed(bytes / 2 ** 30)} GiB`
const lines = results.map(({ cpu, cpuRatio, name, pairs, ratio, ready, seconds, times }) =>
  [
    `${name.padEnd(18)} ${fixed(seconds)} s a step, ${fixed(cpu)} s of CPU; ${gigabytes(peakOf(times))}, `
    + `${gigabytes((ready as Ready).startPeak)} until the first`,
    `here takes ${fixed(ratio)} of its time (pairs ${fixed(Math.min(...pairs))} to ${fixed(Math.max(...pairs))}), `
    + `${fixed(cpuRatio)} of its CPU time; losses off by ${offOf(times).toExponential(1)}`
  ].join("\n  ")
)
const found = measured()
const { parameters, trainable } = contestants[0]!.ready as Ready
const title = `${found.cpu}, ${found.cores} cores, load ${found.load.map(fixed).join(" to ")}; ${options.setting}, `
  + `${parameters.toLocaleString("en")} parameters, ${
    trainable.toLocaleString("en")
  } learn; 2 x ${options.length} tokens, `
  + `${options.threads} threads, ${options.steps} steps`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, ...options, results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
