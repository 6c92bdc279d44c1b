/**
 * A step of JOMED's second phase, or vectors of pictures, here and in PyTorch on the CPU, in turn. Time, CPU seconds, peak resident memory.
 *
 *     node bench/peers/pictures.ts --python PYTHON [--task step --reader FOLDER] [--batch 2] [--candidates 16] [--pictures 32]
 *       [--threads 2] [--steps 5] [--json]
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import sharp from "sharp"
import * as Key from "../../src/domain/Key.ts"
import { contestant } from "./contestant.ts"
import { compared, inTurns, machine, stepLines, type StepTime, tuned } from "./turns.ts"

const { values: options } = parseArgs({
  options: {
    task: { type: "string", default: "features" },
    reader: { type: "string", default: "" },
    python: { type: "string", default: "python3" },
    batch: { type: "string", default: "2" },
    candidates: { type: "string", default: "16" },
    pictures: { type: "string", default: "32" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    json: { type: "boolean", default: false }
  }
})
const { task } = options
if (task !== "step" && task !== "features") throw new Error("--task is step or features")
if (task === "step" && options.reader === "") throw new Error("--reader is missing: a folder of a decoder")

const here = (file: string) => join(import.meta.dirname, file)
const folder = mkdtempSync(join(tmpdir(), "pictures-"))
mkdirSync(join(folder, "pictures"))
const captions = readFileSync(here("../../data/world/passages.jsonl"), "utf8").trim().split("\n")
  .map((line) => (JSON.parse(line) as { readonly text: string }).text)

/** A picture of 320 × 280 pixels, in large random patches. */
const picture = async (i: number): Promise<string> => {
  const pixels = Buffer.from(
    Uint8Array.from({ length: 3 * 64 }, (_, j) => Key.integer(Key.fold(Key.make(1), "picture", i), j, 256))
  )
  const path = join("pictures", `${i}.jpg`)
  await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } }).resize(320, 280, { fit: "fill" }).jpeg()
    .toFile(join(folder, path))
  return path
}

const [steps, batch, pictures] = [Number(options.steps), Number(options.batch), Number(options.pictures)]
const passages = await Promise.all(
  Array.from({ length: task === "features" ? (steps + 1) * pictures : 64 }, async (_, i) => ({
    _id: `p${i}`,
    image: await picture(i),
    text: captions[i % captions.length]!.split(" ").slice(0, 32).join(" ")
  }))
)
const questions = await Promise.all(
  Array.from({ length: (steps + 1) * batch }, async (_, i) => ({
    id: `q${i}`,
    image: await picture(passages.length + i),
    question: "Does the picture show a disease? Answer:",
    options: ["no", "yes"],
    answer: i % 2 === 0 ? "no" : "yes"
  }))
)
const lines = (rows: ReadonlyArray<object>): string => `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`
writeFileSync(join(folder, "passages.jsonl"), lines(passages))
writeFileSync(join(folder, "questions.jsonl"), lines(questions))
const record = {
  task,
  reader: options.reader,
  /** ViT-B/32. */
  encoder: { patch_size: 32 },
  pictures,
  passages,
  questions,
  batch,
  candidates: Number(options.candidates),
  weight: 0.15,
  gold: 0.1,
  temperature: 0.1,
  optimizer: {
    learning_rate: 1e-4,
    adam_beta1: 0.9,
    adam_beta2: 0.999,
    adam_epsilon: 1e-8,
    weight_decay: 0,
    max_grad_norm: 1
  }
}
writeFileSync(join(folder, "record.json"), JSON.stringify(record))
const args = [folder, "--threads", options.threads]

const measured = machine()
/** PyTorch comes first, since it writes the encoder that all begin with. The tuned allocator is faster and keeps more. */
const tunedOne = await contestant<StepTime>(
  "PyTorch, tuned",
  options.python,
  [here("pictures_step.py"), ...args],
  tuned
)
const contestants = [
  await contestant<StepTime>("here", process.execPath, [here("picturesOurs.ts"), ...args]),
  tunedOne,
  await contestant<StepTime>("PyTorch, as it is", options.python, [here("pictures_step.py"), ...args])
]
await inTurns(contestants, Array.from({ length: steps }, () => ({})))
rmSync(folder, { recursive: true })

const results = compared(contestants)
const found = measured()
const what = task === "features"
  ? `${pictures} pictures a turn, ViT-B/32`
  : `${batch} questions with ${options.candidates} candidates, head: a copy of ViT-B/32`
const title =
  `${found.cpu}, ${found.cores} cores, load ${found.load.map((own) => own.toFixed(2)).join(" to ")}; ${what}, `
  + `${options.threads} threads, ${steps} turns`
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine: found, ...options, results })}\n`
    : `${[title, ...stepLines(results, 18)].join("\n")}\n`
)
