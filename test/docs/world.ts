/**
 * What the commands of the documents find: a folder with the files that they name, small enough for a test. Each file stands
 * for one of a reader's own: `Llama-3.2-1B-Instruct`, `SmolLM2-135M-Instruct.Q4_1.gguf`, `colbertv2.0`, `some/adapter` and those
 * in folders of the names that the Hub has are models of a few thousand weights; nothing is fetched.
 */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../../scripts/entryPoints.ts"
import type { Passage, QuestionRecord } from "../../src/domain/records/Records.ts"
import { anamnesis, jsonLines, prepare } from "../support/cli.ts"

/**
 * What is otherwise than in the repository, so that a command ends within seconds; models that hardly learned prefer
 * nothing by a margin.
 */
export const substitutions: ReadonlyArray<readonly [file: string, from: RegExp, to: string]> = [
  ["experiments/own.yaml", /max_steps: \d+/g, "max_steps: 2"],
  ["experiments/own.yaml", /per_device_train_batch_size: \d+/g, "per_device_train_batch_size: 4"],
  ["experiments/own.yaml", /rank_tie_margin: [\d.]+/g, "rank_tie_margin: 0"]
]

const lines = <A>(path: string): ReadonlyArray<A> =>
  readFileSync(join(root, path), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as A)

/** The passages of a few diseases of the medical world, and the questions about them. */
const own = () => {
  const passages = lines<Passage & { readonly _id: string }>("data/world/passages.jsonl").slice(0, 120)
  const ids = new Set(passages.map(({ _id }) => _id))
  const questions = lines<QuestionRecord>("data/world/questions.train.jsonl")
  return { passages, questions: questions.filter(({ gold }) => gold.every((id) => ids.has(id))) }
}

const write = (folder: string, path: string, text: string): void => {
  mkdirSync(join(folder, path, ".."), { recursive: true })
  writeFileSync(join(folder, path), text)
}

const template = "{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}"

/** The folder; whoever asks for it removes it. */
export const world = async (): Promise<string> => {
  const folder = await prepare()
  mkdirSync(join(folder, "small"))
  for (const name of ["passages.jsonl", "questions.jsonl"]) renameSync(join(folder, name), join(folder, "small", name))
  const settings = readFileSync(join(folder, "run.yaml"), "utf8").replaceAll(/: (\w+\.jsonl)/g, ": small/$1")
  write(folder, "run.yaml", settings.replace("max_length: 160", "max_length: 512"))
  const config = readFileSync(join(folder, "reader/config.json"), "utf8")
  write(
    folder,
    "reader/config.json",
    config.replace("\"max_position_embeddings\":160", "\"max_position_embeddings\":512")
  )

  const { passages, questions } = own()
  write(folder, "passages.jsonl", jsonLines(passages))
  write(folder, "questions.jsonl", jsonLines(questions))
  cpSync(join(root, "experiments"), join(folder, "experiments"), { recursive: true })
  for (const [file, from, to] of substitutions) {
    write(folder, file, readFileSync(join(folder, file), "utf8").replaceAll(from, to))
  }
  symlinkSync(join(root, "data"), join(folder, "data"), "junction")
  const script = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(root, "src", "bin.ts"))}`
  write(folder, "package.json", JSON.stringify({ name: "world", private: true, scripts: { anamnesis: script } }))

  cpSync(join(folder, "retriever"), join(folder, "colbertv2.0"), { recursive: true })
  cpSync(join(folder, "retriever"), join(folder, "sentence-transformers/all-MiniLM-L6-v2"), { recursive: true })
  cpSync(join(folder, "reader"), join(folder, "HuggingFaceTB/SmolLM2-135M-Instruct"), { recursive: true })
  cpSync(join(folder, "reader"), join(folder, "Llama-3.2-1B-Instruct"), { recursive: true })
  write(folder, "Llama-3.2-1B-Instruct/tokenizer_config.json", JSON.stringify({ chat_template: template }))
  const adapter = ["output_dir=adapter", "lora_r=2", "max_steps=1"].flatMap((setting) => ["--set", setting])
  const { code, err } = await anamnesis(folder, ["train", "--config", "run.yaml", ...adapter])
  if (code !== 0) throw new Error(err)
  cpSync(join(folder, "adapter/checkpoint-1/reader"), join(folder, "some/adapter"), { recursive: true })
  rmSync(join(folder, "adapter"), { recursive: true })
  const gguf = ["some/adapter", "SmolLM2-135M-Instruct.Q4_1.gguf", "--gguf", "F16"]
  const merged = await anamnesis(folder, ["merge", ...gguf])
  if (merged.code !== 0) throw new Error(merged.err)
  return folder
}
