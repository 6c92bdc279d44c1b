/** JOMED from files to figures: the reader learns on pairs, a head learns from its verdicts, answers are fused; and what is refused. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { asked } from "../../src/domain/Content.ts"
import type { Raw, RunConfig } from "../../src/domain/settings/RunConfig.ts"
import { embed } from "../../src/programs/buildIndex.ts"
import { evaluateRun } from "../../src/programs/evaluation/evaluateRun.ts"
import { experiment } from "../../src/programs/experiments/experiment.ts"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import { indexing, prepare } from "../../src/programs/prepare.ts"
import * as Run from "../../src/programs/run.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"
import { decode, modeOf } from "../../src/systems/all.ts"
import { biomed, clip } from "../support/pictures.ts"
import * as Tiny from "../support/tiny.ts"

const arrays = join(import.meta.dirname, "../golden/arrays/pneumoniamnist_28.npz")
const image = (row: number) => `${arrays}#train_images/${row}`
const options = ["copper", "zinc"]
const lines = (records: ReadonlyArray<object>) => records.map((record) => `${JSON.stringify(record)}\n`).join("")
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
  "open.jsonl": lines([question(0), question(1, { options: [] })])
}

/** A folder with the files and a reader. */
const made = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* Tiny.weighted
  for (const [name, text] of Object.entries(files)) yield* fs.writeFileString(join(folder, name), text)
  return folder
})

const settled = (folder: string, overrides: Raw = {}) =>
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

const around = Layer.mergeAll(cpu({ threads: 1 }), silent, NodeFileSystem.layer).pipe(
  Layer.provideMerge(NodeServices.layer)
)
const live = (
  what: string,
  test: (folder: string) => Effect.Effect<void, unknown, Layer.Success<typeof around> | Scope.Scope>
) =>
  it.live(what, () =>
    Effect.flatMap(made, test).pipe(
      Effect.scoped,
      Effect.provide(around, { local: true }),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))
const weights = (folder: string, run: string, step: number, part: string) =>
  readFileSync(join(folder, run, `checkpoint-${step}`, part, "model.safetensors"))

describe("jomed", () => {
  live("teaches the reader on pairs, and then a head by that reader", (folder) =>
    Effect.gen(function*() {
      const first = yield* settled(folder, { mode: "jomed_reader", output_dir: join(folder, "first") })
      yield* Run.run(first, false)
      const reader_name_or_path = join(folder, "first/checkpoint-4/reader")
      assert.notDeepEqual(weights(folder, "first", 4, "reader"), readFileSync(join(folder, "reader/model.safetensors")))
      const second = yield* settled(folder, { reader_name_or_path })
      yield* Run.run(second, false)
      const { accuracy, questions } = yield* evaluateRun(second, "test")
      assert.strictEqual(questions, 2)
      assert.isNotNull(accuracy)
      const [told] = readFileSync(join(folder, "run/eval-test/predictions.jsonl"), "utf8").split("\n")
      assert.include(options, (JSON.parse(told!) as { readonly prediction: string }).prediction)
      /** With the heads of the run, another mode answers from the passages in one prompt. */
      const whole = yield* settled(folder, { reader_name_or_path, fused_eval: false, answer_by: "likelihood" })
      yield* evaluateRun(whole, "test")
    }))
  live(
    "is the arm of experiments, which share no rankings that their settings change",
    (folder) =>
      Effect.gen(function*() {
        const own = yield* settled(folder)
        const common = ["mode", "preset", "passages_file", "train_file", "test_file", "retriever_name_or_path", "head"]
        const read = [
          "reader_name_or_path",
          "document_prompt",
          "question_prompt",
          "n_candidates",
          "retriever_n_context",
          "lora_r"
        ]
        const settings = Object.fromEntries(
          [...common, ...read, "min_utility_variance", "max_length"].map((key) => [key, (own as unknown as Raw)[key]])
        ) as Raw
        const arm = (more: Raw) => ({ phases: {}, settings: { max_steps: 2, ...more } })
        const plan: Plan = {
          seeds: [1],
          settings: { ...settings, preset: "jomed" },
          warm_up: {},
          arms: { self: arm({ exclude: ["self"] }), all: arm({ exclude: [] }), frozen: arm({ max_steps: 0 }) }
        }
        const outcomes = yield* experiment(plan, "plan.yaml", { output_dir: join(folder, "runs") })
        assert.isAbove(JSON.stringify(outcomes).length, 2)
        for (const name of ["self", "all", "frozen"]) {
          assert.isTrue(existsSync(join(folder, "runs/seed-1", name, "eval-test/metrics.json")), name)
        }
        assert.isFalse(existsSync(join(folder, "runs/.shared/rankings")))
      })
  )
  live("resumes to the bit", (folder) =>
    Effect.gen(function*() {
      const run = (name: string, max_steps: number, resume: boolean) =>
        Effect.flatMap(
          settled(folder, {
            output_dir: join(folder, name),
            max_steps,
            save_steps: 2,
            snapshot_steps: 3,
            lr_scheduler_type: "constant",
            warmup_steps: 0
          }),
          (config) => Run.run(config, resume)
        )
      yield* run("straight", 4, false)
      yield* run("parted", 2, false)
      yield* run("parted", 4, true)
      assert.deepStrictEqual(weights(folder, "parted", 4, "retriever"), weights(folder, "straight", 4, "retriever"))
    }))
  live(
    "has batches with as many of each answer, which do not retrieve their own picture",
    (folder) =>
      Effect.gen(function*() {
        const { epochs } = yield* prepare(yield* settled(folder))
        const answers = epochs(0).map((record) => "answer" in record && record.answer)
        assert.deepStrictEqual(answers, ["copper", "zinc", "copper", "zinc"])
        const { epochs: all } = yield* prepare(yield* settled(folder, { class_balanced: false }))
        assert.strictEqual(all(0).length, 5)
      })
  )
  const finds = (encoder: string, size: number) => (folder: string) =>
    Effect.gen(function*() {
      const config = yield* settled(folder, { retriever_name_or_path: encoder, heads: ["image", "text"], max_steps: 1 })
      const index_path = join(folder, "index")
      const embedded = yield* embed(config, index_path).pipe(Effect.provide(yield* indexing(config)))
      assert.deepStrictEqual([embedded.passages, embedded.dim], [5, size])
      const indexingOf = (own: RunConfig) => Layer.unwrap(indexing(own))
      const query = asked(image(5), "")
      const search = (own: RunConfig) =>
        Effect.flatMap(Retriever, (retriever) => retriever.searchEach!([query], 3)).pipe(
          Effect.provide(modeOf(own).ranks.pipe(Layer.provide(indexingOf(own))), { local: true })
        )
      assert.deepStrictEqual(yield* search({ ...config, index_path }), yield* search(config))
      const other = yield* settled(folder, { retriever_name_or_path: "pixels:4", index_path })
      assert.match((yield* Effect.flip(search(other))).message, /is the index of other weights/)
    })
  live("finds in indexes that were written before, for the same pictures", finds(clip, 6))
  live("finds in those of an encoder of open_clip", finds(biomed, 8))
  const refused = (what: string, overrides: Raw, reason: RegExp, file?: string) =>
    live(`is refused where ${what}`, (folder) =>
      Effect.gen(function*() {
        const train = file === undefined ? {} : { train_file: join(folder, file) }
        const run = Effect.flatMap(settled(folder, { ...overrides, ...train }), (config) => Run.run(config, false))
        const error: { readonly message: string } = yield* Effect.flip(run)
        assert.match(error.message, reason)
      }))
  refused(
    "verdicts do not depend on the passage",
    { min_utility_variance: 1e6, per_device_train_batch_size: 1 },
    /the reader's verdicts on 4 questions hardly depend on the passage.*below min_utility_variance \(1000000\)/
  )
  refused("a question has no picture", {}, /1 questions have no picture to ask with \(first: q1\)/, "bare.jsonl")
  refused("classes are no classes", {}, /class_balanced takes questions that all have the same options/, "open.jsonl")
  refused("the head is none of the heads", { learned_head: "text" }, /learned_head \(text\) is none of heads \(image\)/)
  refused(
    "there are no texts in the space",
    { heads: ["image", "text"] },
    /pixels:4: encodes pictures alone: a text head/
  )
  refused("a head has nothing to weigh with", { retrieve_with_rerank: false }, /set retrieve_with_rerank: true/)
  refused("vectors are to be refreshed", { refresh_index: 10 }, /vectors of passages do not change/)
})
