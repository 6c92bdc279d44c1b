/** A folder to train a language model on texts in: a tiny Llama with a chat template, chats, documents and preferences. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { jsonLines } from "./cli.ts"
import * as Tiny from "./tiny.ts"

const model = join(import.meta.dirname, "..", "golden", "texts")
const template =
  "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
  + "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"

/** Twenty chats of two turns. */
export const chats = Array.from({ length: 20 }, (_, i) => {
  const { answer, question } = Tiny.questions[i % Tiny.questions.length]!
  return {
    messages: [
      { role: "user", content: `${question} (${i})` },
      { role: "assistant", content: answer },
      { role: "user", content: "Sure?" },
      { role: "assistant", content: i % 2 === 0 ? "Yes." : "I am." }
    ]
  }
})

/** Six questions with a right and a wrong answer, as messages. */
export const pairs = Tiny.questions.map(({ answer, options, question }) => ({
  prompt: [{ role: "user", content: question }],
  chosen: [{ role: "assistant", content: answer }],
  rejected: [{ role: "assistant", content: options.find((option) => option !== answer)! }]
}))

/** The model's files by name. */
export const modelFiles: Readonly<Record<string, string | Uint8Array>> = {
  ...Object.fromEntries(
    ["config.json", "tokenizer.json", "model.safetensors"].map((name) => [name, readFileSync(join(model, name))])
  ),
  "tokenizer_config.json": JSON.stringify({ eos_token: "<|endoftext|>", chat_template: template })
}

/** Files of rows by name; a document is given twice. */
export const rowFiles: Readonly<Record<string, string>> = {
  "chats.jsonl": jsonLines(chats),
  "pairs.jsonl": jsonLines(pairs),
  "documents.jsonl": jsonLines([...Tiny.passages, { id: "again", text: Tiny.passages[0]!.text }]),
  "questions.jsonl": jsonLines(Tiny.questions)
}

/** Where each preset finds its rows. */
export const fileOf = { sft: "chats.jsonl", pretrain: "documents.jsonl", dpo: "pairs.jsonl" } as const

/** The settings of a short run. */
export const settings = (preset: keyof typeof fileOf): Raw => ({
  system: "mediphi",
  preset,
  train_file: fileOf[preset],
  reader_name_or_path: "model",
  output_dir: preset,
  max_length: 128,
  learning_rate: 1e-2,
  max_steps: 12,
  per_device_train_batch_size: 4,
  logging_steps: 1
})
