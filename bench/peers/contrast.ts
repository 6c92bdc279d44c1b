/**
 * A contrastive step of a sentence-transformers folder here and in sentence-transformers (PyTorch on the CPU), step by step in
 * turn: texts to updated weights. Time, CPU seconds, peak resident memory.
 *
 *     node bench/peers/contrast.ts --model FOLDER --python PYTHON [--batch 32] [--mini-batch 0] [--length 64] [--threads 2]
 *       [--steps 5] [--json]
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { contestant } from "./contestant.ts"
import { compared, inTurns, machine, stepLines, type StepTime, tuned } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    python: { type: "string", default: "python3" },
    batch: { type: "string", default: "32" },
    "mini-batch": { type: "string", default: "0" },
    length: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    json: { type: "boolean", default: false }
  }
})

/** One step's queries, with a positive and a hard negative of each. */
interface Batch {
  readonly anchors: ReadonlyArray<string>
  readonly positives: ReadonlyArray<string>
  readonly negatives: ReadonlyArray<string>
}

const here = (file: string) => join(import.meta.dirname, file)
const world = (file: string) =>
  readFileSync(join(import.meta.dirname, "..", "..", "data", "world", file), "utf8").trim().split("\n")
    .map((line) => JSON.parse(line) as { readonly [key: string]: unknown })

/** A copy of the model without dropout, so that losses can be compared. */
const still = (model: string, folder: string): void => {
  cpSync(model, folder, { recursive: true, dereference: true })
  const path = join(folder, "config.json")
  const config = JSON.parse(readFileSync(path, "utf8")) as object
  const none = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, attention_dropout: 0 }
  writeFileSync(path, JSON.stringify({ ...config, ...none }))
}

/** Questions of the shipped world with their passages; the negative is the passage after the positive. */
const batches = (count: number, size: number): ReadonlyArray<Batch> => {
  const passages = world("passages.jsonl")
  const place = new Map(passages.map((passage, i) => [passage["_id"] as string, i]))
  const asked = world("questions.train.jsonl")
  const textAt = (i: number) => passages[i % passages.length]!["text"] as string
  return Array.from({ length: count }, (_, step) => {
    const own = Array.from({ length: size }, (__, i) => asked[(17 * (step * size + i)) % asked.length]!)
    const gold = own.map((question) => place.get((question["gold"] as ReadonlyArray<string>)[0]!)!)
    return {
      anchors: own.map(({ question }) => question as string),
      positives: gold.map(textAt),
      negatives: gold.map((at) => textAt(at + 1))
    }
  })
}

if (options.model === undefined) throw new Error("--model is missing: a sentence-transformers folder")
const folder = mkdtempSync(join(tmpdir(), "contrast-"))
still(options.model, join(folder, "model"))
const steps = Number(options.steps)
const record = {
  batches: batches(steps + 1, Number(options.batch)),
  miniBatch: Number(options["mini-batch"]),
  length: Number(options.length),
  scale: 20,
  optimizer: {
    learning_rate: 2e-5,
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
/** The tuned allocator is faster and keeps more: time is that of the one, memory that of the other. */
const contestants = [
  await contestant<StepTime>("here", process.execPath, [here("contrastOurs.ts"), ...args]),
  await contestant<StepTime>("PyTorch, tuned", options.python, [here("contrast_step.py"), ...args], tuned),
  await contestant<StepTime>("PyTorch, as it is", options.python, [here("contrast_step.py"), ...args])
]
await inTurns(contestants, Array.from({ length: steps }, () => ({})))
rmSync(folder, { recursive: true })

const results = compared(contestants)
const lines = stepLines(results, 18)
const found = measured()
const title =
  `${found.cpu}, ${found.cores} cores, load ${
    found.load.map((own) => own.toFixed(2)).join(" to ")
  }; ${options.batch} queries, `
  + `${
    options["mini-batch"] === "0" ? "at once" : `${options["mini-batch"]} texts at a time`
  }, at most ${options.length} tokens, `
  + `${options.threads} threads, ${options.steps} steps`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, ...options, results })}\n`
    : `${[title, ...lines].join("\n")}\n`
)
