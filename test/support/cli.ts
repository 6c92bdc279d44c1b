/** The command line as a process of its own, in a folder with the tiny system's files. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Tiny from "./tiny.ts"

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const main = join(import.meta.dirname, "..", "..", "src", "bin.ts")
/** What in the surroundings would change what is said, or the provider. */
const ours: ReadonlySet<string> = new Set(["CI", "CUDA_DEVICE", "PROVIDER"])
const around = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.has(name)))

export interface Options {
  /** A keyboard interrupt follows once this is on standard error, or another signal. */
  readonly until?: RegExp
  readonly signal?: NodeJS.Signals
  /** Nobody reads its output any more once it is interrupted, as when a terminal is closed. */
  readonly deaf?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** What is started in place of the source: the program of an installed package. */
  readonly program?: string
}

/** Runs `anamnesis ARGS` to its end. */
export const anamnesis = (folder: string, args: ReadonlyArray<string>, options: Options = {}): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const env = { ...around, THREADS: "1", ...options.env }
    const program = options.program ?? main
    const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] })
    let [out, err, stopped] = ["", "", false]
    child.stdout.on("data", (text: Buffer) => void (out += text.toString()))
    child.stderr.on("data", (text: Buffer) => {
      err += text.toString()
      if (stopped || !options.until?.test(err)) return
      stopped = true
      if (options.deaf) { for (const stream of [child.stdout, child.stderr]) stream.destroy() }
      child.kill(options.signal ?? "SIGINT")
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, out, err }))
  })

export const jsonLines = (records: ReadonlyArray<object>): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")

const yaml = `# The tiny system, all in this folder.
output_dir: run
passages_file: passages.jsonl
train_file: questions.jsonl
test_file: questions.jsonl
retriever_name_or_path: retriever
reader_name_or_path: reader
max_steps: 4
n_candidates: 5
retriever_n_context: 3
n_context: 2
learning_rate: 1e-2
lr_retriever: 1e-2
query_max_len: 24
passage_max_len: 64
max_length: 160
logging_steps: 1
`

/** A new folder with model folders, data and `run.yaml`; the tests that use it remove it. */
export const prepare = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "anamnesis-cli-"))
  const models = Effect.andThen(Tiny.writeModels(folder), Tiny.writeWeights(folder))
  await Effect.runPromise(models.pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer)))
  writeFileSync(join(folder, "passages.jsonl"), jsonLines(Tiny.passages))
  writeFileSync(join(folder, "questions.jsonl"), jsonLines(Tiny.questions))
  writeFileSync(join(folder, "run.yaml"), yaml)
  return folder
}
