/** Contrastive training from outside: retrievers learn their pairs, the same bytes come of the same seed, killed or not. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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

const STEPS = 90
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

/** The same as ColBERT's triples of ids, and as a BEIR folder. */
const writeOthers = (): void => {
  const write = (name: string, lines: ReadonlyArray<string>) =>
    writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(""))
  for (const name of ["triples", "beir/qrels"]) mkdirSync(join(folder, name), { recursive: true })
  write("triples/collection.tsv", passages.map(({ text }, i) => `${i}\t${text}`))
  write("triples/queries.tsv", rows.map(([query], i) => `${i + 50}\t${query}`))
  const after = (i: number, by: number) => (i + by) % rows.length
  const scored = rows.map((_, i) => [i + 50, [i, 9.5], [after(i, 1), 3], [after(i, 2), -2]])
  write("triples/examples.json", scored.map((row) => JSON.stringify(row)))
  write("triples/triples.jsonl", rows.map((_, i) => JSON.stringify([i + 50, i, after(i, 1)])))
  write("beir/corpus.jsonl", passages.map(({ id, text }) => JSON.stringify({ _id: id, text })))
  write("beir/queries.jsonl", rows.map(([text], i) => JSON.stringify({ _id: `q${i}`, text })))
  write("beir/qrels/train.tsv", ["query-id\tcorpus-id\tscore", ...rows.map((_, i) => `q${i}\tp${i}\t1`)])
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
  writeOthers()
  const task = {
    task: "Pairs",
    output_type: "retrieval",
    passages_file: "passages.jsonl",
    test_file: "questions.jsonl"
  }
  writeFileSync(join(folder, "tasks.yaml"), JSON.stringify({ ...task, main_score: "recall_at_1" }))
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("a retriever trained by contrast", () => {
  it.each(Object.keys(kinds))(
    "learns its pairs (%s); the decoder resumes from a kill with the same bytes",
    async (kind) => {
      const before = await judged(kind, `output_dir=${kind}-none`)
      const ended = await command("train", kind)
      assert.strictEqual(ended.code, 0, ended.err)
      const after = await judged(kind)
      assert.isBelow(before.recall["recall@1"]!, 0.5)
      assert.isAtLeast(after.recall["recall@1"]!, 0.75)
      if (kind === "decoder") await resumes(kind, after)
    },
    300_000
  )

  /** From a kill with the same bytes, and with others from another seed; what is saved is a model by itself. */
  const resumes = async (kind: string, after: Summary): Promise<void> => {
    const [whole, killed, other] = [saved(kind), `${kind}-killed`, `${kind}-other`]
    const options = { until: new RegExp(`contrastive 35/${STEPS}`), signal: "SIGKILL" } as const
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
  }
})

describe("contrastive training", () => {
  const triples = (file: string) => ["passages_file=triples/collection.tsv", `train_file=triples/${file}`]
  const scored = [...triples("examples.json"), "num_negatives=2"]
  const cases: Readonly<Record<string, ReadonlyArray<string>>> = {
    "kl, from ColBERT's lists with scores": [...scored, "contrastive_loss=kl", "contrastive_temperature=auto"],
    "margin_mse": [...scored, "contrastive_loss=margin_mse", "mini_batch_size=0"],
    "hardness_mode": [...triples("triples.jsonl"), "hardness_mode=hard_negatives", "hardness_strength=5"],
    "a BEIR folder": ["passages_file=beir", "train_file=beir", "num_negatives=0"]
  }
  it.each(Object.entries(cases))("learns by %s", async (name, set) => {
    const out = `output_dir=by-${name.replaceAll(/\W/g, "-")}`
    const own = [...set, "max_steps=40", out, "test_file=", "seed=5"]
    const ended = await command("train", "colbert", ...own)
    assert.strictEqual(ended.code, 0, ended.err)
    const losses = [...ended.err.matchAll(/retrieverLoss (\S+)/g)].map(([, loss]) => Number(loss))
    const mean = (some: ReadonlyArray<number>) => some.reduce((a, b) => a + b) / some.length
    assert.strictEqual(losses.length, 40)
    assert.isBelow(mean(losses.slice(-10)), 0.7 * mean(losses.slice(0, 10)))
  }, 300_000)
  it("refuses what cannot be learned from", async () => {
    const refused = async (...set: ReadonlyArray<string>) => {
      const ended = await command("train", "colbert", ...set, "output_dir=refused")
      assert.strictEqual(ended.code, 1)
      return ended.err
    }
    const wrong: ReadonlyArray<readonly [reason: RegExp, set: ReadonlyArray<string>]> = [
      [/has no effect with hardness_strength 0/, ["hardness_mode=all_negatives"]],
      [
        /hardness_mode in_batch_negatives finds none/,
        ["hardness_mode=in_batch_negatives", "hardness_strength=1", "in_batch_negatives=none"]
      ],
      [/margin_mse needs a teacher's scores of every row/, ["contrastive_loss=margin_mse"]],
      [/passages_file is not given/, [...triples("triples.jsonl"), "passages_file="]],
      [/query 50 is not in questions/, [...triples("triples.jsonl"), "queries_file=questions.jsonl"]]
    ]
    const told = await Promise.all(wrong.map(([, set]) => refused(...set)))
    wrong.forEach(([reason], i) => assert.match(told[i]!, reason))
  }, 300_000)
})
