/** The command line from outside: exit codes, what it says and where, and the files it leaves. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Judged, Summary } from "../../src/domain/judge.ts"
import type { RunConfig } from "../../src/domain/settings/RunConfig.ts"
import type { Answered } from "../../src/programs/answer.ts"
import { Environment } from "../../src/programs/environment.ts"
import type { Trained } from "../../src/programs/training/trained.ts"
import type { Valid } from "../../src/programs/validate.ts"
import * as Hash from "../../src/runtime/files/disk.ts"
import type { Saved } from "../../src/runtime/models/export/folder.ts"
import { anamnesis, type Ended, jsonLines, type Options, prepare } from "../support/cli.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
let training: Ended
/** A command on the settings of the folder. */
const run = (command: string, args: ReadonlyArray<string> = [], options: Options = {}) =>
  anamnesis(folder, [command, "--config", "run.yaml", ...args], options)
const set = (...pairs: ReadonlyArray<string>) => pairs.flatMap((pair) => ["--set", pair])
const read = (...path: ReadonlyArray<string>) => readFileSync(join(folder, ...path), "utf8")
const lines = (...path: ReadonlyArray<string>) => read(...path).trimEnd().split("\n")
const exists = (...path: ReadonlyArray<string>) => existsSync(join(folder, ...path))
const parse = <A>({ code, err, out }: Ended): A => {
  assert.strictEqual(code, 0, err)
  return JSON.parse(out) as A
}
/** Warnings aside. */
const refused = ({ code, err: said, out }: Ended, why: RegExp): void => {
  const err = said.replaceAll(/^anamnesis: warning: .*\n/gm, "")
  assert.match(err, why)
  assert.deepStrictEqual([code, out], [1, ""])
  assert.strictEqual(err.trimEnd().split("\n").filter((line) => !line.includes(" WARN ")).length, 1, err)
}

beforeAll(async () => {
  folder = await prepare()
  training = await run("train", ["--json"])
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("train", () => {
  it("tells its figures, and leaves its settings, what it ran on and a checkpoint", () => {
    const { checkpoint, readerLoss, steps } = parse<Trained>(training)
    assert.deepStrictEqual([steps, checkpoint], [4, "run/checkpoint-4"])
    assert.isAbove(readerLoss!, 0)
    for (const step of [1, 2, 3, 4]) assert.include(training.err, `joint ${step}/4  `)
    const settings = JSON.parse(read("run", "settings.json")) as RunConfig
    assert.deepInclude(settings, { max_steps: 4, mode: "joint", learning_rate: 0.01 })
    const { environment } = JSON.parse(read("run", "run.json")) as { readonly environment: unknown }
    assert.deepInclude(Schema.decodeUnknownSync(Environment)(environment), { provider: "cpu", threads: 1 })
    for (const part of ["retriever", "reader"]) assert.isTrue(exists("run/checkpoint-4", part, "model.safetensors"))
  })
  it("leaves a run alone that is there already, or that other settings made", async () => {
    const kept = () => readdirSync(join(folder, "run")).filter((name) => !/^eval|^index/.test(name))
    const before = kept()
    refused(await run("train"), /^anamnesis: run: holds a run already \(checkpoint-4\).*--resume/)
    refused(
      await run("train", ["--resume", ...set("learning_rate=1e-3")]),
      /checkpoint-4: is of another run: learning_rate was 0.01 and is 0.001/
    )
    assert.deepStrictEqual(kept(), before)
  })
  it("saves when it is interrupted, and goes on from there", async () => {
    const long = set("output_dir=stopped", "max_steps=100000")
    const first = await run("train", long, { until: /joint 2\// })
    const last = Number(/stopped, saved stopped\/checkpoint-(\d+)/.exec(first.err)?.[1])
    assert.strictEqual(first.code, 130, first.err)
    assert.isAtLeast(last, 2)
    assert.isTrue(exists(`stopped/checkpoint-${last}/trainer_state.json`))
    const second = await run("train", [...long, "--resume"], { until: /joint \d+\// })
    assert.strictEqual(second.code, 130, second.err)
    assert.strictEqual(/joint (\d+)\//.exec(second.err)?.[1], String(last + 1))
    assert.match(second.err, new RegExp(`saved stopped/checkpoint-(?!${last}\\n)\\d+`))
  })
})

describe("a signal", () => {
  for (const [signal, deaf] of [["SIGTERM", false], ["SIGHUP", false], ["SIGHUP", true]] as const) {
    it(`of ${signal} saves${deaf ? ", though nobody hears of it" : ""}`, async () => {
      const out = `ended-${signal}-${deaf}`
      const settings = set(`output_dir=${out}`, "max_steps=100000", "save_steps=-1")
      const { code, err } = await run("train", settings, { until: /joint 2\//, signal, deaf })
      assert.strictEqual(code, 130, err)
      const checkpoint = readdirSync(join(folder, out)).find((name) => name.startsWith("checkpoint-"))
      assert.isTrue(exists(out, checkpoint!, "trainer_state.json"))
      if (!deaf) assert.include(err, `stopped, saved ${out}/${checkpoint}`)
    })
  }
})

describe("validate", () => {
  it("counts what is there; what is set on the command line wins", async () => {
    const { groups, passages, questions, settings } = parse<Valid>(
      await run("validate", ["--json", ...set("max_steps=9", "lr=3e-5")])
    )
    assert.deepInclude(settings, { max_steps: 9, learning_rate: 3e-5, lr_retriever: 0.01 })
    assert.deepStrictEqual({ passages, questions }, { passages: 11, questions: { train: 6, test: 6 } })
    assert.isTrue(groups.some((g) => g.model === "reader" && g.learningRate === 3e-5))
  })
  it("looks for questions of the test in passages and in training, unless told not to", async () => {
    const { leaks } = parse<Valid>(await run("validate", ["--json"]))
    assert.strictEqual(leaks!["test"]!.questions, 6)
    assert.strictEqual(leaks!["test"]!.in_training.questions, 6)
    const told = await run("validate", [])
    assert.match(told.out, /leaks: of 6 test questions.*\n {2}6 are in training, word for word \(\S+ in \S+, /)
    assert.notProperty(parse<Valid>(await run("validate", ["--json", "--no-leaks"])), "leaks")
  })
  it("asks whether another setting was meant", async () => {
    refused(await run("validate", set("sed=7")), /--set: unknown key "sed", did you mean "seed"\?/)
  })
  it("tells the file, line, field and reason of a bad line, or how many were skipped", async () => {
    const bad = [...Tiny.passages, { _id: "x" }, { _id: 2.5, text: "y" }]
    writeFileSync(join(folder, "bad.jsonl"), jsonLines(bad))
    const own = set("passages_file=bad.jsonl")
    refused(
      await run("validate", own),
      /^anamnesis: bad\.jsonl, line 12, field "text": a passage needs a text or an image; the record has _id$/m
    )
    const skipping = await run("validate", [...own, "--skip-bad-lines", "--json"])
    assert.strictEqual(parse<Valid>(skipping).passages, 11)
    assert.match(skipping.err, /bad\.jsonl: 2 malformed lines left out \(first: line 12, field "text"/)
  })
})

describe("misuse", () => {
  /** What is said of it, in a line for each mistake and one for help. */
  const misused = async (...args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
    const { code, err, out } = await anamnesis(folder, args)
    assert.deepStrictEqual([code, out], [1, ""])
    const lines = err.trimEnd().split("\n")
    assert.match(lines.pop()!, /--help tells more$/)
    return lines
  }
  it("is told in a line, with what would be right", async () => {
    const settings = ["--config", "run.yaml"]
    const said = await Promise.all([
      misused("trian"),
      misused("train"),
      misused("train", ...settings, "--resum"),
      misused("train", ...settings, ...settings),
      misused("train", ...settings, "now"),
      misused("evaluate", ...settings, "--split", "tets"),
      misused("plan", ...settings, "--steps", "few")
    ])
    assert.deepStrictEqual(said.flat(), [
      "anamnesis: there is no command trian, did you mean train?",
      "anamnesis train: --config is missing",
      "anamnesis train: there is no flag --resum, did you mean --resume?",
      "anamnesis train: --config is given more than once",
      "anamnesis train: unexpected argument \"now\"",
      "anamnesis evaluate: --split: must be one of train, validation, test; given \"tets\"",
      "anamnesis plan: --steps: must be a whole number; given \"few\""
    ])
  })
  it("is to ask nothing, to train for no step, or to name a plan as settings", async () => {
    refused(await run("answer"), /^anamnesis: answer: a question, or --questions FILE, is needed$/m)
    refused(await run("answer", ["--option", "a", "--option", "a", "b?"]), /answer: --option "a" is given twice/)
    refused(await run("answer", [" "]), /answer: the question is empty/)
    refused(await run("train", set("max_steps=0", "output_dir=no")), /train: max_steps is 0: there is nothing to train/)
    writeFileSync(join(folder, "plan.yaml"), "seeds: [1]\nsettings: {}\narms: { a: {} }\n")
    refused(await anamnesis(folder, ["train", "-c", "plan.yaml"]), /plan\.yaml: is the plan of an experiment/)
    refused(
      await anamnesis(folder, ["env", "--threads", "0"]),
      /^anamnesis: --threads: must be a whole number from 1 to/
    )
    refused(
      await anamnesis(folder, ["env"], { env: { THREADS: "1e6" } }),
      /^anamnesis: THREADS: must be a whole number/
    )
    refused(
      await anamnesis(folder, ["env"], { env: { SPIN: "-1" } }),
      /^anamnesis: SPIN: must be a whole number from 0 to/
    )
    assert.isFalse(exists("no"))
  }, 180_000)
  it("is not to train on rows of texts: validate reads them as training does", async () => {
    const rows = [{ anchor: "a", positive: "b", negative: "c" }, { query: "d", pos: ["e"], neg: ["f"] }]
    writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\r\n`).join(""))
    const given = set("mode=contrastive", "train_file=rows.jsonl", "max_steps=1", "output_dir=no")
    const { code, err, out } = await run("validate", given)
    assert.strictEqual(code, 0, err)
    assert.match(out, /train questions +2$/m)
  }, 180_000)
  it("is to ask for what memory cannot hold, told by its key", async () => {
    const own = (key: string) => run("validate", set(`${key}=1099511627776`, "output_dir=no"))
    const keys = [
      "per_device_train_batch_size",
      "gradient_accumulation_steps",
      "n_candidates",
      "query_max_len",
      "max_length"
    ]
    const said = await Promise.all(keys.map(own))
    said.forEach((ended, i) => refused(ended, new RegExp(`^anamnesis: .*${keys[i]} \\(1099511627776\\)`)))
  }, 180_000)
})

describe("evaluate", () => {
  it("prints the figures, and writes them with every answer and ranking", async () => {
    const summary = parse<Summary>(await run("evaluate", ["--json"]))
    const { environment, judged: of, ...metrics } = JSON.parse(read("run/eval-test/metrics.json")) as Record<
      string,
      unknown
    >
    assert.deepStrictEqual(metrics, { ...summary })
    Schema.decodeUnknownSync(Environment)(environment)
    const models = { retriever: "run/checkpoint-4/retriever", reader: "run/checkpoint-4/reader" }
    const sha256 = Hash.sha256(readFileSync(join(folder, "run/checkpoint-4/trainer_state.json")))
    assert.deepNestedInclude(of, {
      models: { ...models, checkpoint: "run/checkpoint-4", step: 4, sha256 },
      split: "test"
    })
    const { corpus } = JSON.parse(read("run/run.json")) as { readonly corpus: string }
    assert.deepNestedInclude(of, { passages: { file: "passages.jsonl", sha256: corpus } })
    const judged = lines("run/eval-test/predictions.jsonl").map((line) => JSON.parse(line) as Judged)
    assert.deepStrictEqual(judged.map((j) => j.id), Tiny.questions.map((q) => q.id))
    assert.strictEqual(summary.accuracy!.mean, judged.reduce((sum, j) => sum + j.correct!, 0) / judged.length)
    const ranking = lines("run/eval-test/run.trec").map((line) => line.split("\t"))
    const told = judged.flatMap((j) => j.found.map(([doc, score], i) => [j.id, "Q0", doc, i + 1, score, "anamnesis"]))
    assert.deepStrictEqual(ranking, told.map((row) => row.map(String)))
    assert.strictEqual(ranking.length, 66)
    const gold = Tiny.questions.map((q) => [q.id, "0", q.gold[0]!, "1"].join("\t"))
    assert.deepStrictEqual(lines("run/eval-test/qrels.trec"), gold)
    assert.isFalse(readdirSync(join(folder, "run/eval-test")).some((name) => name.endsWith(".partial")))
  })
})

describe("answer", () => {
  const options = ["--option", "GLA", "--option", "HEXA"]
  it("tells one question's answer as it is written, and the same as JSON", async () => {
    const own = set("answer_by=generation", "rationale_prompt= Reference", "rationale_max_new_tokens=5")
    const question = [...own, ...options, "Pain in the hands, which gene?"]
    const [told, [parsed]] = await Promise.all([
      run("answer", question),
      run("answer", ["--json", ...question]).then((ended) => parse<ReadonlyArray<Answered>>(ended))
    ])
    const { answer, passages, written } = parsed!
    const [said, reasons] = written.split("\n") as [string, string]
    const chosen = ["GLA", "HEXA"].map((option) => `  ${option === answer ? "→" : " "} ${option}`)
    const none = ["GLA", "HEXA"].includes(answer) ? [] : ["  → none of them can be told from this"]
    const sources = passages.map(({ id, text }) => `    [${id}] ${text}`)
    const lines = ["Pain in the hands, which gene?", `  ${said}`, ...chosen, ...none, `  ${reasons}`, ...sources]
    assert.deepStrictEqual(told.out.split("\n").map((line) => line.trimEnd()), [...lines, ""])
  })
})

describe("embed", () => {
  it("writes an index that answers alike, for the weights it is of", async () => {
    const made = parse<object>(await anamnesis(folder, ["embed", "-c", "run/settings.json", "--json"]))
    assert.deepInclude(made, { folder: "run/index", passages: 11, dim: 8 })
    const question = ["--json", "--option", "GLA", "--option", "HEXA", "Pain in the hands, which gene?"]
    const [own, stored] = await Promise.all([
      run("answer", question),
      run("answer", [...set("index_path=run/index"), ...question])
    ])
    const [answer] = parse<ReadonlyArray<Answered>>(own)
    assert.deepStrictEqual(parse<ReadonlyArray<Answered>>(stored), [answer!])
    assert.strictEqual(answer!.passages.length, 2)
    assert.include(["GLA", "HEXA"], answer!.answer)
    const stale = set("index_path=run/index", "output_dir=untrained")
    const { code, err } = await run("answer", [...stale, ...question])
    assert.strictEqual(code, 1)
    assert.match(
      err,
      /^anamnesis: warning: untrained holds no checkpoint yet: the models of the settings are used as they are/
    )
    assert.match(err, /^anamnesis: run\/index\/metadata\.json: is the index of other weights/m)
  })
})

describe("init", () => {
  it("makes model folders that a run can start from, where there are none", async () => {
    const models = ["retriever", "reader"].map((part) => `${part}_name_or_path=./made/${part}`)
    const made = parse<ReadonlyArray<{ readonly folder: string }>>(await run("init", ["--json", ...set(...models)]))
    assert.deepStrictEqual(made.map((m) => m.folder), ["./made/retriever", "./made/reader"])
    const { groups } = parse<Valid>(await run("validate", ["--json", ...set(...models)]))
    assert.isTrue(groups.every((g) => g.trainable && g.parameters > 0))
  })
})

describe("init for two models in one folder", () => {
  it("is refused, for one would be written over the other", async () => {
    const models = set("retriever_name_or_path=made/one", "reader_name_or_path=./made/one/")
    refused(
      await run("init", models),
      /^anamnesis: init: retriever_name_or_path and reader_name_or_path are the same folder/
    )
    assert.isFalse(exists("made/one"))
  })
})

describe("env", () => {
  it("is plain JSON where asked for", async () => {
    const found = parse<unknown>(await anamnesis(folder, ["env", "--json", "--threads", "3"]))
    assert.deepInclude(Schema.decodeUnknownSync(Environment)(found), { provider: "cpu", threads: 3 })
  })
  it("says what is missing for CUDA, and what to do", async () => {
    const empty = join(folder, "libraries")
    mkdirSync(empty)
    writeFileSync(join(empty, "libonnxruntime.so.1"), "")
    const said = await anamnesis(folder, ["env", "--provider", "cuda"], { env: { LD_LIBRARY_PATH: empty } })
    refused(said, /^anamnesis: The cuda provider cannot start: libonnxruntime_providers_shared\.so .*--provider cpu/)
  })
})

describe("export", () => {
  it("saves a model of the newest checkpoint, with a card of what the run's files tell", async () => {
    const judged = parse<Summary>(await run("evaluate", ["--json"]))
    const { dtype, files } = parse<Saved>(await run("export", ["reader", "exported/reader", "--json"]))
    assert.deepStrictEqual(files.filter((name) => !exists("exported/reader", name)), [])
    assert.deepStrictEqual([dtype, files.includes("generation_config.json")], ["float32", true])
    const [got, want] = ["exported/reader", "run/checkpoint-4/reader"].map((at) =>
      readFileSync(join(folder, at, "model.safetensors"))
    )
    assert.isTrue(got!.equals(want!))
    const card = read("exported/reader/README.md")
    const { corpus } = JSON.parse(read("run", "run.json")) as { readonly corpus: string }
    const told = [
      "mode joint, seed 42",
      corpus,
      "| train_file | questions.jsonl |",
      "| max_steps | 4 |",
      "| steps | 4 |"
    ]
    for (const text of [...told, `| questions | ${judged.questions} |`]) assert.include(card, text)
  })
  it("writes files of a greatest size and of the type asked for", async () => {
    const flags = ["retriever", "halves", "--dtype", "bfloat16", "--max-shard-size", "4KB", "--json"]
    const { files } = parse<Saved>(await run("export", flags))
    assert.isTrue(files.some((name) => /^model-00002-of-0000\d\.safetensors$/.test(name)))
    const sizes = [read("halves", "model.safetensors.index.json"), read("halves", "config.json")].map((text) =>
      JSON.parse(text) as Record<string, any>
    )
    assert.strictEqual(sizes[0]!["metadata"].total_size, 2 * sizes[0]!["metadata"].total_parameters)
    assert.deepInclude(sizes[1]!, { dtype: "bfloat16", architectures: ["HF_ColBERT"], model_type: "bert" })
  })
  it("tells what of the run's files the card goes without", async () => {
    const out = "exported/bare"
    const damage = { "run.json": "[]", "settings.json": "{\"sed\": 1}", "trained.json": `${"[".repeat(1e5)}` }
    cpSync(join(folder, "run"), join(folder, "damaged"), { recursive: true })
    for (const [name, text] of Object.entries(damage)) writeFileSync(join(folder, "damaged", name), text)
    const { code, err } = await run("export", ["retriever", out, ...set("output_dir=damaged")])
    assert.strictEqual(code, 0, err)
    for (const name of Object.keys(damage)) {
      assert.match(err, new RegExp(`^anamnesis: warning: damaged/${name}: .*; the model card goes without it$`, "m"))
    }
    assert.notInclude(read(out, "README.md"), "## Environment")
  })
  it("is refused where there is nothing to save, or something where it would be saved", async () => {
    refused(await run("export", ["reader", "run"]), /^anamnesis: .*run: is there already; choose another folder/)
    refused(await run("export", ["reader", "x", ...set("output_dir=none")]), /none: holds no checkpoint; train first/)
    refused(await run("export", ["reader", "x", "--max-shard-size", "5"]), /"5" is no size such as 500MB or 5GB/)
    assert.isFalse(exists("x"))
  })
})

describe("merge", () => {
  it("makes of an adapter a model that answers as it does", { timeout: 180_000 }, async () => {
    const own = set("output_dir=adapted", "reader_name_or_path=run/checkpoint-4/reader", "lora_r=2", "lr=1")
    parse(await run("train", ["--json", ...own]))
    const adapter = "adapted/checkpoint-4/reader"
    assert.isTrue(exists(adapter, "adapter_model.safetensors"))
    parse<Saved>(await anamnesis(folder, ["merge", adapter, "merged", "--json"]))
    const answers = async (...settings: ReadonlyArray<string>) =>
      parse<ReadonlyArray<Answered>>(await run("answer", ["--questions", "questions.jsonl", "--json", ...settings]))
        .map(({ answer }) => answer)
    const models = ["retriever_name_or_path=adapted/checkpoint-4/retriever", "reader_name_or_path=merged"]
    const before = await answers(...own)
    assert.deepStrictEqual(await answers(...set("output_dir=other", ...models)), before)
    assert.isAbove(new Set(before).size, 1)
    refused(
      await anamnesis(folder, ["merge", "merged", "again"]),
      /merged: is no adapter: it has no adapter_config.json/
    )
  })
})
