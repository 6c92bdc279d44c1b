/** JOMED in small: five X-rays as a memory, with metals as their labels, and a tiny reader of captions. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import { decode } from "../../src/systems/all.ts"
import * as Tiny from "./tiny.ts"

const arrays = join(import.meta.dirname, "../golden/arrays/pneumoniamnist_28.npz")
export const image = (row: number) => `${arrays}#train_images/${row}`
export const options = ["copper", "zinc"]
const lines = (records: ReadonlyArray<object>) => records.map((record) => `${JSON.stringify(record)}\n`).join("")
/** The label of a passage. */
export const captionOf = (id: string) => options[Number(id.slice(1)) % 2]!
const passages = [0, 1, 2, 3, 4].map((row) => ({
  _id: `p${row}`,
  image: image(row),
  text: `the picture shows ${options[row % 2]}`,
  group: `g${row}`
}))
const question = (row: number, own: object = {}) => ({
  id: `q${row}`,
  image: image(row),
  question: "Which metal?",
  options,
  answer: options[row % 2],
  group: `g${row}`,
  ...own
})
const files = {
  "passages.jsonl": lines(passages),
  "train.jsonl": lines([0, 2, 4, 1, 3].map((row) => question(row))),
  "test.jsonl": lines([3, 4].map((row) => question(row))),
  "bare.jsonl": lines([question(0), question(1, { image: null })]),
  "free.jsonl": lines([3, 4].map((row) => question(row, { options: [] }))),
  "open.jsonl": lines([question(0), question(1, { options: [] })]),
  "0.png": "no picture",
  "1.png": "",
  "broken.jsonl": lines([0, 1, 2, 3, 4].map((row) => question(row, row > 3 ? {} : { image: `${row}.png` }))),
  "brokenPassages.jsonl": lines(
    passages.map((passage, i) => Object.assign({}, passage, i < 2 ? { image: `${i}.png` } : {}))
  )
}

/** Writes the files into a folder. */
export const writeFiles = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  for (const [name, text] of Object.entries(files)) yield* fs.writeFileString(join(folder, name), text)
})

/** A folder with the files and a reader, gone with the scope. */
export const made = Effect.tap(Tiny.weighted, writeFiles)

export const settled = (folder: string, overrides: Raw = {}) =>
  decode("test", {
    mode: "jomed_retriever",
    preset: "jomed",
    passages_file: join(folder, "passages.jsonl"),
    train_file: join(folder, "train.jsonl"),
    test_file: join(folder, "test.jsonl"),
    retriever_name_or_path: "pixels:4",
    reader_name_or_path: join(folder, "reader"),
    output_dir: join(folder, "run"),
    head: "adapter:4",
    /** This reader reads captions alone. */
    document_prompt: "background: {text}",
    question_prompt: "{question}",
    n_candidates: 3,
    retriever_n_context: 3,
    n_context: 2,
    min_utility_variance: 0,
    lr_retriever: 1e-2,
    learning_rate: 1e-2,
    lora_r: 0,
    max_steps: 4,
    max_length: 160,
    ...overrides
  })

const shared = [
  "mode",
  "preset",
  "passages_file",
  "train_file",
  "test_file",
  "retriever_name_or_path",
  "head",
  "reader_name_or_path",
  "document_prompt",
  "question_prompt",
  "n_candidates",
  "retriever_n_context",
  "lora_r",
  "min_utility_variance",
  "max_length"
]

/** An experiment of one seed and two steps, whose arms differ by these settings. */
export const planOf = (folder: string, arms: Readonly<Record<string, Raw>>) =>
  Effect.map(settled(folder), (own): Plan => ({
    seeds: [1],
    settings: {
      ...Object.fromEntries(shared.map((key) => [key, (own as unknown as Raw)[key]])) as Raw,
      preset: "jomed"
    },
    warm_up: {},
    arms: Object.fromEntries(
      Object.entries(arms).map(([name, settings]) => [name, { phases: {}, settings: { max_steps: 2, ...settings } }])
    )
  }))
