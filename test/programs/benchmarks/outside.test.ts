/** Metrics of answers that take an encoder, a vocabulary or a judge: their figures, what is told, and what is refused. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { generativeTask } from "../../../src/domain/benchmarks/generativeTask.ts"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { figuresOf, type Sample } from "../../../src/programs/benchmarks/generative/figures.ts"
import { judgedBy } from "../../../src/programs/benchmarks/generative/judging.ts"
import { outsideIdentity, withOutside } from "../../../src/programs/benchmarks/generative/outside.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { silent } from "../../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "../../support/cli.ts"
import { folderOf, onDisk } from "../../support/files.ts"
import { warned } from "../../support/warnings.ts"
import { asked, setting } from "../../support/writing.ts"

const tiny = join(import.meta.dirname, "..", "..", "golden", "sentences", "bert-mean")
const told = JSON.parse(readFileSync(join(tiny, "..", "..", "bertScore.json"), "utf8"))

const taskWith = (...metric_list: ReadonlyArray<Raw>) =>
  Effect.orDie(generativeTask({
    task: "own",
    output_type: "generate_until",
    dataset_path: "x",
    doc_to_text: "q",
    doc_to_target: "a",
    metric_list
  }))

const sampleOf = (answer: string | null, ...references: ReadonlyArray<string>): Sample => ({
  asked: {
    at: 0,
    id: "r",
    group: `${answer}`,
    prompt: [{ role: "user", content: [text("Which gene?")] }],
    choices: [],
    before: "",
    references,
    gold: []
  },
  answered: { texts: [answer ?? ""], likelihoods: [], cut: 0 },
  filter: "none",
  filtered: [answer],
  figures: { exact_match: 0 },
  labels: { gold: references[0]!, given: answer ?? "" }
})

const around = Layer.mergeAll(cpu({ threads: 1 }), NodeFileSystem.layer, silent)
const figuresWith = Effect.fnUntraced(
  function*(data: string, samples: ReadonlyArray<Sample>, ...metrics: ReadonlyArray<Raw>) {
    const task = yield* taskWith(...metrics)
    const options = { task: "own", data, judge: undefined }
    const found = yield* warned(withOutside(task, samples, options).pipe(Effect.provide(around)))
    return { ...found, task }
  }
)

describe("an encoder", () => {
  it.live("gives BERTScore, rescaled by a file of baselines if there is one", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* folderOf({ "base.csv": told.baseline })
      const samples = told.tiny.pairs.map(([answer, references]: [string, Array<string>]) =>
        sampleOf(answer, ...references)
      )
      const of = (i: number) => told.tiny.cases[i].scores[2] as ReadonlyArray<number>
      const metric = { metric: "bertscore", model_type: tiny, num_layers: 2 }
      const plain = yield* figuresWith(folder, samples, metric)
      plain.value.forEach(({ figures }, i) => assert.closeTo(figures["bertscore_f1"]!, of(2)[i]!, 1e-4))
      assert.match(plain.lines.join(), /own: bertscore: 2 texts exceed 16 tokens, and their ends are cut/)
      const based = yield* figuresWith(folder, samples, { ...metric, baseline_path: "base.csv" })
      based.value.forEach(({ figures }, i) => assert.closeTo(figures["bertscore_f1"]!, of(4)[i]!, 1e-4))
      const lacks = yield* Effect.flip(
        figuresWith(folder, samples, { ...metric, num_layers: 1, baseline_path: "none.csv" })
      )
      assert.match(lacks.message, /none\.csv/)
    })))
})

describe("a vocabulary", () => {
  it.live("gives concept-F of the best reference, and tells what counts as 0", () =>
    onDisk(Effect.gen(function*() {
      const rows = [{ id: "D1", name: "Gaucher disease", synonyms: ["GD"] }, { id: "G1", name: "GBA1" }, {
        id: "D2",
        name: "GBA1"
      }]
      const folder = yield* folderOf({ "v.jsonl": jsonLines(rows) })
      const samples = [
        sampleOf("GD, by GBA1", "nothing", "Gaucher disease"),
        sampleOf(null, "GBA1"),
        sampleOf("GD", "nothing known")
      ]
      const { lines, task, value } = yield* figuresWith(folder, samples, {
        metric: "concept_f1",
        vocabulary: "v.jsonl"
      })
      assert.deepStrictEqual(value.map(({ figures }) => [figures["concept_precision"], figures["concept_recall"]]), [
        [0.5, 1],
        [0, 0],
        [0, 0]
      ])
      assert.strictEqual(value[0]!.figures["exact_match"], 0)
      assert.match(lines.join("\n"), /1 of 3 references have no concept/)
      assert.match(lines.join("\n"), /2 names stand for several concepts/)
      const own = figuresOf(task, value).find(({ metric }) => metric === "concept_f1")!
      assert.closeTo(own.mean, 2 / 9, 1e-9)
      assert.strictEqual(own.records, 3)
      const before = yield* outsideIdentity(task, { task: "own", data: folder, judge: undefined })
      const other = yield* folderOf({ "v.jsonl": jsonLines(rows.slice(1)) })
      assert.notDeepEqual(yield* outsideIdentity(task, { task: "own", data: other, judge: undefined }), before)
    })))
})

describe("a judge", () => {
  const samples = ["right", "wrong", "silent", "refused"].map((answer) => sampleOf(`It is ${answer}.`, "GBA1"))
  const judge = { _tag: "Judge", pairs: false, prompt: undefined, form: "json", maxTokens: 64 } as const
  const refusal = {
    choice: { finish_reason: "content_filter", message: { role: "assistant", content: null, refusal: "No." } }
  }
  it.live("scores answers by the prompt's scale; those without a score are counted and left out", () =>
    onDisk(Effect.gen(function*() {
      const { run, server } = yield* setting((seen) => {
        const question = seen.body.messages.map(({ content }) => content).join("\n")
        if (question.includes("It is silent")) return "I like it."
        if (question.includes("It is refused")) return refusal
        return JSON.stringify({ score: question.includes("It is right") ? 5 : 1 })
      }, {})
      const { value } = yield* run(judgedBy(judge, samples))
      assert.deepStrictEqual(
        value.map((own) => [own["judge_score"], own["judge_unparsed"], own["judge_refused"]]),
        [[5, 0, 0], [1, 0, 0], [null, 1, 0], [null, 0, 1]]
      )
      assert.match(asked(server.seen[0]!), /Score it from 1 to 5[\s\S]*Which gene\?[\s\S]*GBA1[\s\S]*It is right/)
      const calls = server.seen.length
      const { value: again } = yield* run(judgedBy(judge, samples.slice(0, 2)))
      assert.strictEqual(server.seen.length, calls)
      assert.deepStrictEqual(again, value.slice(0, 2))
      const task = yield* taskWith({ metric: "llm_judge" })
      const figures = figuresOf(task, value.map((own, i) => Object.assign({}, samples[i]!, { figures: own })))
      assert.deepStrictEqual(
        figures.map(({ mean, metric, records }) => [metric, mean, records]),
        [["judge_score", 3, 2], ["judge_unparsed", 1 / 4, 4], ["judge_refused", 1 / 4, 4]]
      )
    })))
  it.live("compares answers with references in both orders, so that a place wins nothing", () =>
    onDisk(Effect.gen(function*() {
      const { run } = yield* setting((seen) => {
        const question = asked(seen)
        const [a, b] = ["A", "B"].map((name) => new RegExp(`Answer ${name}:\n(.*)`).exec(question)![1]!)
        if (question.includes("It is right")) return JSON.stringify({ better: a!.includes("right") ? "A" : "B" })
        if (question.includes("It is wrong")) return JSON.stringify({ better: b!.includes("wrong") ? "A" : "B" })
        return JSON.stringify({ better: "A" })
      }, {})
      const { value } = yield* run(judgedBy({ ...judge, pairs: true }, samples.slice(0, 3)))
      assert.deepStrictEqual(
        value.map((own) => [own["judge_preferred"], own["judge_consistent"]]),
        [[1, 1], [0, 1], [0.5, 0]]
      )
    })))
  it.live("is needed by its metrics", () =>
    onDisk(Effect.gen(function*() {
      const none = yield* Effect.flip(figuresWith(".", samples, { metric: "llm_judge" }))
      assert.match(none.message, /task own: has a metric by a judge; name one: --judge-endpoint/)
    })))
})
