/**
 * A step of supervised fine-tuning or of DPO with LoRA here and in TRL (PyTorch on the CPU), step by step in turn: rows of tokens to updated
 * weights. Time, CPU seconds, peak resident memory.
 *
 *     node bench/peers/texts.ts --model FOLDER --python PYTHON [--task sft|dpo] [--batch 4] [--length 256] [--threads 2] [--steps 5]
 *       [--json]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { contestant } from "./contestant.ts"
import { compared, inTurns, machine, stepLines, type StepTime, tuned } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    python: { type: "string", default: "python3" },
    task: { type: "string", default: "sft" },
    batch: { type: "string", default: "4" },
    length: { type: "string", default: "256" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    json: { type: "boolean", default: false }
  }
})
if (options.model === undefined) throw new Error("--model is missing: a folder of a decoder with a chat template")
if (options.task !== "sft" && options.task !== "dpo") throw new Error("--task is sft or dpo")

const here = (file: string) => join(import.meta.dirname, file)
const passages = readFileSync(here("../../data/world/passages.jsonl"), "utf8").trim().split("\n")
  .map((line) => (JSON.parse(line) as { readonly text: string }).text)

const words = Number(options.length) / 2
/** About so many words of the shipped world's passages, from one of them on. */
const text = (from: number, most: number): string =>
  Array.from({ length: 12 }, (_, i) => passages[(from + i) % passages.length]!).join(" ").split(" ").slice(0, most)
    .join(" ")

/** Prompts of three quarters of a row, and an answer, or two, of the rest. */
const rowOf = (i: number): object => {
  const prompt = [{ role: "user", content: text(37 * i, Math.floor(words * 0.6)) }]
  const answer = (from: number) => [{ role: "assistant", content: text(from, Math.floor(words * 0.2)) }]
  return options.task === "sft"
    ? { prompt, completion: answer(37 * i + 13) }
    : { prompt, chosen: answer(37 * i + 13), rejected: answer(37 * i + 29) }
}

const folder = mkdtempSync(join(tmpdir(), "texts-"))
const [steps, batch] = [Number(options.steps), Number(options.batch)]
const rows = Array.from({ length: (steps + 1) * batch }, (_, i) => JSON.stringify(rowOf(i)))
writeFileSync(join(folder, "rows.jsonl"), `${rows.join("\n")}\n`)
const record = {
  task: options.task,
  model: options.model,
  batch,
  steps: steps + 1,
  length: Number(options.length),
  beta: 0.1,
  lora: { r: 16, lora_alpha: 32 },
  optimizer: {
    learning_rate: 1e-4,
    adam_beta1: 0.9,
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    weight_decay: 0.01,
    max_grad_norm: 1
  }
}
writeFileSync(join(folder, "record.json"), JSON.stringify(record))
const args = [folder, "--threads", options.threads]

const measured = machine()
/** TRL comes first, since it writes the adapter that all begin with. The tuned allocator is faster and keeps more. */
const trl = await contestant<StepTime>("TRL, tuned", options.python, [here("texts_step.py"), ...args], tuned)
const contestants = [
  await contestant<StepTime>("here", process.execPath, [here("textsOurs.ts"), ...args]),
  trl,
  await contestant<StepTime>("TRL, as it is", options.python, [here("texts_step.py"), ...args])
]
await inTurns(contestants, Array.from({ length: steps }, () => ({})))
rmSync(folder, { recursive: true })

const results = compared(contestants)
const lines = stepLines(results, 14)
const found = measured()
const title =
  `${found.cpu}, ${found.cores} cores, load ${found.load.map((own) => own.toFixed(2)).join(" to ")}; ${options.task}, `
  + `${options.batch} rows of about ${options.length} tokens, ${options.threads} threads, ${options.steps} steps`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, ...options, results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
