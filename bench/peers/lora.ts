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
import { compared, inTurns, machine, stepLines, type StepTime, tuned } from "./turns.ts"

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
  await contestant<StepTime>("here", process.execPath, ours),
  await contestant<StepTime>("PyTorch, tuned", options.python, theirs, tuned),
  await contestant<StepTime>("PyTorch, as it is", options.python, theirs)
]
await inTurns(contestants, Array.from({ length: Number(options.steps) }, () => ({})))
rmSync(folder, { recursive: true })

const results = compared(contestants)
const lines = stepLines(results, 18)
const found = measured()
const { parameters, trainable } = contestants[0]!.ready as Ready
const title =
  `${found.cpu}, ${found.cores} cores, load ${
    found.load.map((own) => own.toFixed(2)).join(" to ")
  }; ${options.setting}, `
  + `${parameters.toLocaleString("en")} parameters, ${
    trainable.toLocaleString("en")
  } learn; 2 x ${options.length} tokens, `
  + `${options.threads} threads, ${options.steps} steps`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, ...options, results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
