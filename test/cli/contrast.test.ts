/** Contrastive training from outside: retrievers learn their pairs, the same bytes come of the same seed, killed or not. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Summary } from "../../src/domain/judge.ts"
import type { BenchSummary } from "../../src/programs/benchmarks/summary.ts"
import { anamnesis, type Ended, jsonLines, prepare } from "../support/cli.ts"

/** Queries and passages without a word in common, in the vocabulary of the golden folders. */
const rows: ReadonlyArray<readonly [query: string, passage: string]> = [
  ["which gene", "wilson disease"],
  ["copper in the liver", "marfan syndrome stays"],
  ["a red spot", "find passage"],
  ["long fingers", "title query eye"],
  ["copper fault", "syndrome eye"],
  ["the gene", "disease stays"],
  ["red fingers", "passage title"],
  ["long liver", "wilson query find"]
]
const passages = rows.map(([, text], i) => ({ id: `p${i}`, text }))
const pairs = rows.map(([anchor, positive], i) => ({
  anchor,
  positive,
  negative: passages[(i + 3) % rows.length]!.text
}))
const questions = rows.map(([question], i) => ({ id: `q${i}`, question, gold: [`p${i}`] }))

const STEPS = 120
const common = `passages_file: passages.jsonl
train_file: pairs.jsonl
test_file: questions.jsonl
mode: contrastive
max_steps: ${STEPS}
save_steps: 20
save_total_limit: 1
per_device_train_batch_size: 4
lr_retriever: 1e-2
query_max_len: 24
passage_max_len: 24
n_candidates: 5
logging_steps: 1
options_in_query: false
`
/** A decoder and an encoder of one vector a text, and late interaction; with cached gradients where sizes are given. */
const kinds: Readonly<Record<string, string>> = {
  decoder: "retriever_name_or_path: qwen3-both\n",
  encoder: "retriever_name_or_path: bert-mean\ndim: 0\nretriever_type: single_vector\nmini_batch_size: 3\n",
  colbert: "retriever_name_or_path: retriever\ncontrastive_temperature: 0.5\nmini_batch_size: 3\n"
}

let folder: string
const command = (name: string, kind: string, ...set: ReadonlyArray<string>) =>
  anamnesis(folder, [name, "--config", `${kind}.yaml`, ...set.flatMap((own) => ["--set", own])])
const json = <A>({ code, err, out }: Ended): A => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as A
}
const judged = async (kind: string, ...set: ReadonlyArray<string>): Promise<Summary> =>
  json(await anamnesis(folder, ["evaluate", "--json", "-c", `${kind}.yaml`, ...set.flatMap((own) => ["--set", own])]))

/** The files of a run's retriever, by name. */
const saved = (out: string): Readonly<Record<string, string>> => {
  const path = join(folder, out, `checkpoint-${STEPS}`)
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(join(path, name), "base64")]))
}

beforeAll(async () => {
  folder = await prepare()
  for (const name of ["bert-mean", "qwen3-both"]) {
    cpSync(join(import.meta.dirname, "..", "golden", "sentences", name), join(folder, name), { recursive: true })
  }
  writeFileSync(join(folder, "passages.jsonl"), jsonLines(passages))
  writeFileSync(join(folder, "pairs.jsonl"), jsonLines(pairs))
  writeFileSync(join(folder, "questions.jsonl"), jsonLines(questions))
  for (const [kind, own] of Object.entries(kinds)) {
    writeFileSync(join(folder, `${kind}.yaml`), `output_dir: ${kind}\n${common}${own}`)
  }
  const task = {
    task: "Pairs",
    output_type: "retrieval",
    passages_file: "passages.jsonl",
    test_file: "questions.jsonl"
  }
  writeFileSync(join(folder, "tasks.yaml"), JSON.stringify({ ...task, main_score: "recall_at_1" }))
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("a retriever trained by contrast", () => {
  it.each(Object.keys(kinds))("learns its pairs, and resumes from a kill with the same bytes (%s)", async (kind) => {
    const before = await judged(kind, `output_dir=${kind}-none`)
    const ended = await command("train", kind)
    assert.strictEqual(ended.code, 0, ended.err)
    const after = await judged(kind)
    assert.isBelow(before.recall["recall@1"]!, 0.5)
    assert.isAtLeast(after.recall["recall@1"]!, 0.75)

    const [whole, killed, other] = [saved(kind), `${kind}-killed`, `${kind}-other`]
    const options = { until: new RegExp(`contrastive 47/${STEPS}`), signal: "SIGKILL" } as const
    const cut = await anamnesis(folder, ["train", "-c", `${kind}.yaml`, "--set", `output_dir=${killed}`], options)
    assert.deepStrictEqual([cut.code, existsSync(join(folder, killed, `checkpoint-${STEPS}`))], [null, false])
    const resumed = await anamnesis(folder, [
      "train",
      "-c",
      `${kind}.yaml`,
      "--set",
      `output_dir=${killed}`,
      "--resume"
    ])
    assert.strictEqual(resumed.code, 0, resumed.err)
    assert.deepStrictEqual(saved(killed), whole)
    const apart = await command("train", kind, `output_dir=${other}`, "seed=4")
    assert.strictEqual(apart.code, 0, apart.err)
    assert.notStrictEqual(saved(other)["retriever/model.safetensors"], whole["retriever/model.safetensors"])

    const own = `retriever_name_or_path=${kind}/checkpoint-${STEPS}/retriever`
    const bench = [
      "bench",
      "tasks.yaml",
      "--json",
      "-c",
      `${kind}.yaml`,
      "--set",
      own,
      "--set",
      `output_dir=${kind}-bench`
    ]
    const { tasks: [task] } = json<BenchSummary>(await anamnesis(folder, bench))
    assert.closeTo(task!.main_score, after.recall["recall@1"]!, 1e-5)
  }, 120_000)
})
