/** JOMED from files to figures: the reader learns on pairs, a head learns from its verdicts, answers are fused; and what is refused. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { asked } from "../../src/domain/Content.ts"
import type { Raw, RunConfig } from "../../src/domain/settings/RunConfig.ts"
import { analyse } from "../../src/programs/analysis/analyse.ts"
import { embed } from "../../src/programs/buildIndex.ts"
import { evaluateRun } from "../../src/programs/evaluation/evaluateRun.ts"
import { experiment } from "../../src/programs/experiments/experiment.ts"
import { indexing, prepare } from "../../src/programs/prepare.ts"
import * as Run from "../../src/programs/run.ts"
import { validate } from "../../src/programs/validate.ts"
import { analysisTable } from "../../src/report/analysisTable.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"
import { modeOf } from "../../src/systems/all.ts"
import { captionOf, image, made, options, planOf, settled } from "../support/jomed.ts"
import { biomed, clip } from "../support/pictures.ts"

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
        const plan = yield* planOf(folder, {
          self: { exclude: ["self"] },
          all: { exclude: [] },
          frozen: { max_steps: 0 }
        })
        const outcomes = yield* experiment(plan, "plan.yaml", { output_dir: join(folder, "runs") })
        assert.isAbove(JSON.stringify(outcomes).length, 2)
        for (const name of ["self", "all", "frozen"]) {
          assert.isTrue(existsSync(join(folder, "runs/seed-1", name, "eval-test/metrics.json")), name)
        }
        assert.isFalse(existsSync(join(folder, "runs/.shared/rankings")))
      })
  )
  live(
    "answers free questions from all heads' passages together, as it reads one where there is one",
    (folder) =>
      Effect.gen(function*() {
        const said = Effect.fnUntraced(function*(own: Raw) {
          const test_file = join(folder, "free.jsonl")
          const run = `of ${String(own["n_context"] ?? 2)}`
          const c = yield* settled(folder, {
            output_dir: join(folder, run),
            test_file,
            max_steps: 1,
            max_new_tokens: 6,
            ...own
          })
          yield* Run.run(c, existsSync(c.output_dir))
          yield* evaluateRun(c, "test")
          return readFileSync(join(c.output_dir, "eval-test/predictions.jsonl"), "utf8").trim().split("\n").map(
            (line) => {
              const { prediction, verdicts } = JSON.parse(line) as {
                readonly prediction: string
                readonly verdicts: object
              }
              assert.deepStrictEqual(verdicts, [])
              return prediction
            }
          )
        })
        const lockstep = yield* said({})
        assert.strictEqual(lockstep.length, 2)
        assert.isTrue(lockstep.every((text) => text.length > 0))
        const first = (fusion: string) => said({ fusion, max_new_tokens: 1 })
        assert.deepStrictEqual(yield* first("positions"), yield* first("lockstep"))
        /** Of one passage, both are what a prompt with it leads to. */
        const one = (own: Raw) => said({ n_context: 1, ...own })
        const whole = yield* one({ fused_eval: false })
        assert.deepStrictEqual(yield* one({}), whole)
        assert.deepStrictEqual(yield* one({ fusion: "positions" }), whole)
      })
  )
  live(
    "is taught by captions that are labels, and stands beside copies and linear classifiers",
    (folder) =>
      Effect.gen(function*() {
        const c = yield* settled(folder, { utility: "label", lr_retriever: 1, head_weight: 1, max_steps: 3 })
        yield* Run.run(c, false)
        yield* evaluateRun(c, "test")
        const options = { split: "test", passages: 2, chance: false, judge: undefined, overrides: {} } as const
        const systems = [{ name: "labels", folders: [join(folder, "run")] }]
        const analysis = yield* analyse(systems, { ...options, classifiers: true })
        const { alone } = analysis.systems[0]!
        const found = readFileSync(join(folder, "run/eval-test/predictions.jsonl"), "utf8").trim().split("\n").map((
          line
        ) =>
          JSON.parse(line) as {
            readonly answers: ReadonlyArray<string>
            readonly found: ReadonlyArray<readonly [string]>
          }
        )
        /** Of passage pN the label is that of N's parity. */
        const share = (k: number) =>
          found.reduce(
            (sum, own) =>
              sum + own.found.slice(0, k).filter(([id]) => captionOf(id) === own.answers[0]).length / k / found.length,
            0
          )
        assert.deepStrictEqual(alone!.label.map(({ mean }) => mean), [share(1), share(2)])
        assert.isDefined(alone!.rerankers.find(({ name }) => name === "copy"))
        /** Both questions ask with pictures of the training questions and of the memory, which are left out. */
        assert.deepStrictEqual(analysis.classifiers.map(({ examples }) => examples), [3, 6])
        assert.deepStrictEqual(analysis.classifiers.map(({ questions }) => questions), [2, 2])
        const told = analysisTable(analysis)
        assert.include(told, "label@k")
        assert.match(told, /linear, these and captions +\| 6 /)
        const open = yield* settled(folder, {
          utility: "label",
          class_balanced: false,
          train_file: join(folder, "open.jsonl")
        })
        const error: { readonly message: string } = yield* Effect.flip(
          Run.run({ ...open, output_dir: join(folder, "o") }, false)
        )
        assert.match(error.message, /1 questions have no options that a passage could name \(first: q1\)/)
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
  refused(
    "pictures of questions cannot be read, all together",
    {},
    /0\.png: cannot be decoded \(is no picture by .*; 4 of 5 pictures of questions cannot be read, next \S+1\.png, \S+2\.png, \.\.\.\)/,
    "broken.jsonl"
  )
  live(
    "tells passages' pictures that cannot be read together, and all of all files where it is validated",
    (folder) =>
      Effect.gen(function*() {
        const passages_file = join(folder, "brokenPassages.jsonl")
        const run = Effect.flatMap(settled(folder, { passages_file }), (config) => Run.run(config, false))
        const error: { readonly message: string } = yield* Effect.flip(run)
        assert.match(error.message, /0\.png: .*; 2 of 5 pictures of passages cannot be read, next \S+1\.png\)/)
        const bare = yield* settled(folder, { passages_file })
        const validated: { readonly message: string } = yield* Effect.flip(validate(bare, true))
        assert.match(validated.message, /^pictures: .*0\.png: .*2 of 5 pictures of passages cannot be read/)
        const tests = join(folder, "broken.jsonl")
        const both: { readonly message: string } = yield* Effect.flip(
          Effect.flatMap(settled(folder, { passages_file, test_file: tests }), (config) => validate(config, true))
        )
        assert.match(both.message, /4 of 5 pictures of questions cannot be read/)
      })
  )
  refused("a head has nothing to weigh with", { retrieve_with_rerank: false }, /set retrieve_with_rerank: true/)
  refused("vectors are to be refreshed", { refresh_index: 10 }, /vectors of passages do not change/)
})
