/** Searches of a merge on tasks that a reader answers: scores are bench's, kept, and of one kind of task alone. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { stringify } from "yaml"
import { bench } from "../../../src/programs/benchmarks/bench.ts"
import type { SearchReport } from "../../../src/programs/search/outcome.ts"
import { searchMerge } from "../../../src/programs/search/searchMerge.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import * as Reporter from "../../../src/runtime/ports/Reporter.ts"
import { jsonLines } from "../../support/cli.ts"
import { expert } from "../../support/experts.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"
import { warned } from "../../support/warnings.ts"

const running = Effect.provide(Layer.merge(cpu({ threads: 1 }), Reporter.silent))

const tasks = {
  group: "tiny",
  task: [
    {
      task: "choice",
      output_type: "multiple_choice",
      dataset_path: "questions.jsonl",
      doc_to_text: "Question: {{question}} Answer:",
      doc_to_target: "answer",
      doc_to_choice: "options",
      metric_list: [{ metric: "macro_f1" }, { metric: "acc" }],
      main_score: "acc"
    },
    {
      task: "words",
      output_type: "generate_until",
      dataset_path: "questions.jsonl",
      test_split: "test",
      doc_to_text: "{{question}}",
      doc_to_target: "answer",
      generation_kwargs: { max_gen_toks: 3 },
      metric_list: [{ metric: "rougeL" }, { metric: "exact_match" }]
    }
  ]
}

/** A folder with the tiny reader, two experts of it, and two tasks. */
const prepared = Effect.gen(function*() {
  const folder = yield* Tiny.weighted
  for (const [name, size] of [["a", 0.1], ["b", 0.3]] as const) {
    yield* Effect.promise(() => expert(join(folder, "reader"), join(folder, name), size))
  }
  writeFileSync(join(folder, "questions.jsonl"), jsonLines(Tiny.questions))
  writeFileSync(join(folder, "tasks.yaml"), stringify(tasks))
  return folder
})

const run = (folder: string, search: object = {}) =>
  Effect.suspend(() => {
    const [path, file] = [join(folder, "out.yaml"), join(folder, "out.search.yaml")]
    const models = ["a", "b"].map((name) => ({ model: join(folder, name), parameters: { weight: 1 } }))
    writeFileSync(path, stringify({ merge_method: "linear", models }))
    const vary = [{ simplex: "models[*].parameters.weight", steps: 2 }]
    const own = { vary, tasks: [join(folder, "tasks.yaml")], data: folder, settings: { max_length: 64 }, refine: 0 }
    writeFileSync(file, stringify({ ...own, levels: [{ examples: 3, keep: 2 }, {}], ...search }))
    rmSync(join(folder, "out"), { recursive: true, force: true })
    return searchMerge(path, file, join(folder, "out"), { maxShardSize: "5GB", seed: 0 })
  }).pipe(running)

describe("a search of a merge on tasks that a reader answers", () => {
  it.live(
    "scores as bench does by the tasks' main scores, and keeps what it found",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const { lines, value: result } = yield* warned(run(folder))
        assert.isTrue(lines.includes("words: a search on the split test makes its figures no test figures any more"))
        const report = JSON.parse(readFileSync(join(folder, "out.search", "report.json"), "utf8")) as SearchReport
        assert.deepStrictEqual(report.levels, [{ choice: 3, words: 3 }, { choice: 6, words: 6 }])
        assert.deepStrictEqual([result.evaluated, result.kept], [3 + 2, 0])
        const settings = yield* Tiny.settings(folder, {
          mode: "no_retrieval",
          reader_name_or_path: join(folder, "out"),
          max_length: 64
        })
        const asked = { tasks: [join(folder, "tasks.yaml")], data: folder, out: undefined, train: [], likeness: 1 }
        const found = yield* bench(settings, { ...asked, named: true }).pipe(
          running,
          Effect.provide(NodeServices.layer)
        )
        assert.closeTo(found.main_score, result.score, 1e-9)
        assert.deepStrictEqual(
          found.generative!.map(({ main, main_score, task }) => [task, main, main_score]),
          [["choice", "acc", result.scores["choice"]], ["words", "rougeL", result.scores["words"]]]
        )
        const again = yield* run(folder)
        assert.deepStrictEqual([again.evaluated, again.kept], [0, 5])
        assert.strictEqual((yield* run(folder, { settings: { max_length: 48 } })).kept, 0)
      })),
    300_000
  )

  it.live(
    "is refused for tasks of both kinds, a figure of all records, none of its own, prompts that are too long",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const refused = (search: object, why: RegExp) =>
          Effect.map(Effect.flip(run(folder, search)), ({ message }) => assert.match(message, why))
        const write = (name: string, own: object) => {
          writeFileSync(join(folder, name), stringify(own))
          return join(folder, name)
        }
        const find = { task: "find", output_type: "retrieval", passages_file: "p.jsonl", test_file: "questions.jsonl" }
        const both = [write("find.yaml", find), join(folder, "tasks.yaml")]
        yield* refused({ tasks: both }, /find: tasks of retrieval cannot be searched together with tasks that a reader/)
        const whole = write("whole.yaml", { ...tasks.task[0], main_score: "macro_f1" })
        yield* refused({ tasks: [whole] }, /main_score: macro_f1 is one figure of all records/)
        const none = write("none.yaml", { ...tasks.task[0], main_score: "rouge1" })
        yield* refused({ tasks: [none] }, /main_score: "rouge1" is none of the figures, which are macro_f1, acc/)
        yield* refused({ settings: { max_length: 8 } }, /task choice: \d of 6 records exceed max_length \(8\)/)
      })),
    300_000
  )
})
