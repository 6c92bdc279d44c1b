/** `bench` from outside: results in MTEB's files, going on task by task, leaks, and what is refused before anything runs. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Result } from "../../src/programs/benchmarks/results.ts"
import type { BenchSummary } from "../../src/programs/benchmarks/summary.ts"
import { anamnesis, type Ended, jsonLines, prepare } from "../support/cli.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
const into = (out: string) => (...args: ReadonlyArray<string>) =>
  anamnesis(folder, [
    "bench",
    "--config",
    "run.yaml",
    "--json",
    "--set",
    "options_in_query=false",
    "--out",
    out,
    ...args
  ])
const lexical = ["--set", "mode=bm25_rag"]
const told = ({ code, err, out }: Ended): BenchSummary => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as BenchSummary
}
const text = (...path: ReadonlyArray<string>): string => readFileSync(join(folder, ...path), "utf8")
const result = (...path: ReadonlyArray<string>) => JSON.parse(text(...path)) as Result

const tasks = `group: tiny
task:
  - task: Tiny
    output_type: retrieval
    dataset_path: tiny
    prompt: Find it
    metadata: { dataset: us/tiny, revision: abc, documents: 11, queries: 7 }
  - task: Own
    output_type: retrieval
    passages_file: passages.jsonl
    test_file: questions.jsonl
    main_score: recall_at_1
`

/** The tiny system's data as a folder of BEIR's. */
const writeBeir = (name: string, questions = Tiny.questions): void => {
  mkdirSync(join(folder, name, "qrels"), { recursive: true })
  writeFileSync(
    join(folder, name, "corpus.jsonl"),
    jsonLines(Tiny.passages.map(({ id, text }) => ({ _id: id, title: "", text })))
  )
  writeFileSync(
    join(folder, name, "queries.jsonl"),
    jsonLines(questions.map(({ id, question }) => ({ _id: id, text: question })))
  )
  const judged = questions.flatMap(({ gold, id }) => gold.map((own) => `${id}\t${own}\t1\n`))
  writeFileSync(join(folder, name, "qrels", "test.tsv"), `query-id\tcorpus-id\tscore\n${judged.join("")}`)
}

beforeAll(async () => {
  folder = await prepare()
  writeBeir("tiny")
  writeFileSync(join(folder, "tasks.yaml"), tasks)
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("bench", () => {
  it("writes each task's figures as MTEB does, and the means over tasks", async () => {
    const ended = await into("first")("tasks.yaml", ...lexical)
    const summary = told(ended)
    assert.deepStrictEqual(summary.tasks.map(({ documents, queries, task }) => [task, documents, queries]), [
      ["Tiny", 11, 6],
      ["Own", 11, 6]
    ])
    const { anamnesis: own, dataset_revision, scores, task_name } = result("first", "Tiny.json")
    assert.deepStrictEqual([task_name, dataset_revision, Object.keys(scores)], ["Tiny", "abc", ["test"]])
    const [entry] = scores["test"]!
    assert.deepStrictEqual([entry!.hf_subset, entry!.languages], ["default", ["eng-Latn"]])
    assert.strictEqual(entry!.main_score, entry!["ndcg_at_10"])
    assert.isAbove(entry!.main_score, 0.3)
    assert.strictEqual(own["test"]!.queries, 6)
    const kept = text("first", "samples_Tiny.test.jsonl").trimEnd().split("\n").map((line) =>
      JSON.parse(line) as Readonly<Record<string, number>>
    )
    assert.closeTo(kept.reduce((sum, line) => sum + line["ndcg_at_10"]!, 0) / kept.length, entry!.main_score, 1e-5)
    const [tiny, files] = summary.tasks
    assert.deepStrictEqual([files!.main, files!.ndcg_at_10], ["recall_at_1", tiny!.ndcg_at_10])
    assert.closeTo(summary.mean!.main_score, (tiny!.main_score + files!.main_score) / 2, 1e-5)
    assert.deepStrictEqual(JSON.parse(text("first", "summary.json")), summary)
    assert.match(ended.err, /Tiny: 6 queries, where its dataset has 7/)
    assert.match(ended.err, /the prompts of 1 tasks are not used/)
  })
  it("does not compute again what is there, and does what has changed", async () => {
    writeBeir("changing")
    writeFileSync(join(folder, "changing.yaml"), tasks.replace("dataset_path: tiny", "dataset_path: changing"))
    const run = () => into("again")("changing.yaml", ...lexical)
    told(await run())
    const before = ["Tiny.json", "Own.json"].map((name) => text("again", name))
    rmSync(join(folder, "again", "Own.json"))
    told(await run())
    assert.strictEqual(text("again", "Tiny.json"), before[0])
    assert.deepStrictEqual(result("again", "Own.json").scores, (JSON.parse(before[1]!) as Result).scores)
    writeBeir("changing", Tiny.questions.slice(1))
    assert.deepStrictEqual(told(await run()).tasks[0]!.queries, 5)
    assert.notStrictEqual(text("again", "Tiny.json"), before[0])
  })
  it("evaluates the encoder of the settings", async () => {
    const summary = told(await into("dense")("tasks.yaml", "--set", "mode=frozen_rag"))
    assert.deepStrictEqual(summary.tasks.map(({ recall_at_100 }) => recall_at_100), [1, 1])
    assert.notStrictEqual(
      result("dense", "Tiny.json").anamnesis["test"]!.key,
      told(await into("dense-lexical")("tasks.yaml", ...lexical)) &&
        result("dense-lexical", "Tiny.json").anamnesis["test"]!.key
    )
  })
  it("puts a task's prompt before queries, where the retriever has a place for it", async () => {
    const files = "passages_file: passages.jsonl\ntest_file: questions.jsonl\n"
    const of = (task: string, prompt: string) => `task: ${task}\noutput_type: retrieval\n${files}${prompt}`
    writeFileSync(join(folder, "find.yaml"), of("Find", "prompt: find\n"))
    writeFileSync(join(folder, "other.yaml"), of("Other", "prompt: which gene\n"))
    writeFileSync(join(folder, "bare.yaml"), of("Bare", ""))
    const single = join(import.meta.dirname, "..", "golden", "sentences", "llama-last")
    const set = (...settings: ReadonlyArray<string>) =>
      ["mode=frozen_rag", `retriever_name_or_path=${single}`, "passage_max_len=24", ...settings].flatMap((
        own
      ) => ["--set", own])
    const template = set("query_prompt={task} : ")
    told(await into("prompted")("find.yaml", "other.yaml", ...template))
    const ended = await into("bare")("bare.yaml", ...template, "--set", "retrieval_task=find")
    told(ended)
    assert.notMatch(ended.err, /prompts of/)
    const [find, other, bare] = [["prompted", "Find"], ["prompted", "Other"], ["bare", "Bare"]].map(([out, task]) =>
      result(out!, `${task!}.json`)
    )
    assert.deepStrictEqual(find!.scores, bare!.scores)
    assert.notDeepEqual(find!.scores, other!.scores)
    assert.strictEqual(find!.anamnesis["test"]!.retrieval_task, "find")
    const without = await into("folder")("find.yaml", ...set())
    assert.match(
      without.err,
      /the prompts of 1 tasks are not used: nothing before this retriever's texts names the task/
    )
  })
  it("leaves out what training has seen, and says so", async () => {
    const [first, second] = Tiny.questions
    const passage = Tiny.passages.find(({ id }) => id === second!.gold[0])!
    writeFileSync(
      join(folder, "seen.jsonl"),
      jsonLines([{ query: first!.question.toUpperCase(), pos: [passage.text] }])
    )
    const ended = await into("leaks")("tasks.yaml", ...lexical, "--train", "seen.jsonl")
    const [tiny] = told(ended).tasks
    assert.deepStrictEqual([tiny!.documents, tiny!.queries, tiny!.removed], [10, 4, { documents: 1, queries: 2 }])
    assert.match(
      ended.err,
      /Tiny: training has seen 1 queries and 1 documents, which are left out, and with them 1 queries/
    )
  })
  it("has the reader answer tasks, with results as lm-evaluation-harness writes them", async () => {
    const examples =
      "dataset_path: questions.jsonl\ndoc_to_text: \"Question: {{question}}\\nAnswer:\"\nnum_fewshot: 1\n"
    const choice = "task: Choose\noutput_type: multiple_choice\ndoc_to_choice: options\ndoc_to_target: answerIndex\n"
      + "fewshot_config: { sampler: first_n }\ngroup_field: group\nmetric_list: [{ metric: acc }, { metric: macro_f1 }, { metric: debiased_acc, options: options, answer: answerIndex, orders: 3 }]\n"
    const write = "task: Write\noutput_type: generate_until\ndoc_to_target: \"{{answer}}\"\nrepeats: 2\n"
      + "generation_kwargs: { until: [\"zz\"], max_gen_toks: 3, temperature: 1 }\n"
      + "metric_list: [{ metric: exact_match, ignore_case: true }, { metric: rouge1 }]\n"
      + "filter_list: [{ name: low, filter: [{ function: lowercase }] }, { name: vote, filter: [{ function: majority_vote }] }]\n"
    writeFileSync(join(folder, "choose.yaml"), choice + examples)
    writeFileSync(join(folder, "write.yaml"), write + examples)
    const run = (...more: ReadonlyArray<string>) =>
      into("answered")(
        "choose.yaml",
        "write.yaml",
        "--set",
        "mode=no_retrieval",
        "--set",
        "apply_chat_template=false",
        ...more
      )
    const { generative, tasks: none } = told(await run())
    assert.deepStrictEqual([none, generative!.map(({ records, task }) => [task, records])], [[], [["Choose", 6], [
      "Write",
      6
    ]]])
    const samples = (task: string) =>
      text("answered", `samples_${task}.jsonl`).trimEnd().split("\n").map((line) =>
        JSON.parse(line) as Record<string, any>
      )
    const results = JSON.parse(text("answered", "results.json")) as Record<string, any>

    const chosen = samples("Choose")
    for (const [q, own] of chosen.entries()) {
      assert.deepStrictEqual(own["choices"], Tiny.questions[q]!.options)
      assert.isTrue(own["resps"].every((value: number) => value < 0))
      const best = own["choices"][own["resps"].indexOf(Math.max(...own["resps"]))]
      assert.deepStrictEqual([own["filtered_resps"], own["acc"]], [[best], best === Tiny.questions[q]!.answer ? 1 : 0])
      // Options are not in this prompt: no order changes what is read, and probabilities are those of one order.
      const weights = own["resps"].map((value: number) => Math.exp(value))
      const sum = weights.reduce((a: number, b: number) => a + b)
      weights.forEach((weight: number, i: number) => assert.closeTo(own["option_probabilities"][i], weight / sum, 1e-5))
      assert.deepStrictEqual([own["debiased_acc"], own["order_dependent"]], [own["acc"], 0])
      assert.strictEqual(own["order_answers"].length, own["choices"].length === 2 ? 2 : 3)
      /** The first of the others is the example. */
      const shot = Tiny.questions[q === 0 ? 1 : 0]!
      const prompt = `Question: ${shot.question}\nAnswer: ${shot.answer}\n\nQuestion: ${
        Tiny.questions[q]!.question
      }\nAnswer:`
      assert.deepStrictEqual(own["arguments"], [{ role: "user", content: prompt }])
    }
    const acc = chosen.reduce((sum, own) => sum + own["acc"], 0) / 6
    assert.strictEqual(results["results"].Choose["acc,none"], acc)
    assert.strictEqual(results["results"].Choose["macro_f1_stderr,none"], "N/A")
    assert.strictEqual(results["n-shot"].Choose, 1)
    assert.deepStrictEqual(results["n-samples"].Write, { original: 6, effective: 6 })
    assert.deepStrictEqual(Object.keys(results["results"].Write), [
      "alias",
      ...["low", "vote"].flatMap((own) =>
        ["exact_match", "exact_match_stderr", "rouge1", "rouge1_stderr"].map((name) => `${name},${own}`)
      )
    ])
    assert.isTrue(samples("Write").every((own) => own["resps"].length === 2))
    assert.isTrue(samples("Write").some((own) => own["resps"][0] !== own["resps"][1]))

    const before = text("answered", "Choose.json")
    told(await run())
    assert.strictEqual(text("answered", "Choose.json"), before)
    const alone = await anamnesis(folder, [
      "bench",
      "choose.yaml",
      ..."--reader reader --json --out alone --set max_length=160 --set max_eval_samples=3".split(" ")
    ])
    assert.strictEqual(told(alone).generative![0]!.records, 3)
    assert.deepStrictEqual(
      samples("Choose")[2]!["resps"],
      JSON.parse(text("alone", "samples_Choose.jsonl").split("\n")[1]!).resps
    )
    const long = await run("--set", "max_length=40")
    assert.match(long.err, /task Choose: \d of 6 records exceed max_length \(40\) with room for an answer/)
    const cut = told(await run("--set", "max_length=40", "--set", "excess_length=skip"))
    assert.isAbove(cut.generative![0]!.skipped, 0)
    writeFileSync(join(folder, "broken.yaml"), choice + examples.replace("{{question}}", "{{query}}"))
    const broken = await into("broken")("broken.yaml", "--set", "mode=no_retrieval")
    assert.match(broken.err, /task Choose: record q0: query, which the record lacks, is not supported here/)
  })
  it("refuses, before anything is computed, what cannot be evaluated", async () => {
    writeFileSync(
      join(folder, "other.yaml"),
      "task: Tiny\noutput_type: retrieval\ndataset_path: tiny\ntest_split: dev\n"
    )
    const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [
        ["SciFact", "tasks.yaml"],
        /SciFact: there is no folder scifact; it is mteb\/scifact at d56462d[^]*the others can be named by themselves: Tiny Own/
      ],
      [["other.yaml"], /Tiny: tiny: qrels holds test, and no dev/],
      [["tasks.yaml", "--likeness", "0"], /--likeness must be above 0/],
      [["tasks.yaml", "--set", "mode=oracle"], /mode oracle has no retriever/]
    ]
    await Promise.all(refusals.map(async ([args, why]) => {
      const { code, err, out } = await into("refused")(...lexical, ...args)
      assert.deepStrictEqual([code, out], [1, ""], err)
      assert.match(err, why)
    }))
    assert.isFalse(existsSync(join(folder, "refused")))
  })
}, 300_000)
