/** Files of tasks: those that are shipped, and what is refused of a user's. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { parse } from "yaml"
import { type RetrievalTask, tasksOf as tasksOfAny } from "../../../src/domain/benchmarks/task.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"

/** Tasks of retrieval. */
const tasksOf = (source: string, file: Raw) =>
  Effect.map(tasksOfAny(source, file), (tasks) => tasks as ReadonlyArray<RetrievalTask>)
const shipped = (name: string) => parse(readFileSync(`tasks/${name}.yaml`, "utf8")) as Raw
const problem = (file: Raw) => Effect.map(Effect.flip(tasksOf("t.yaml", file)), ({ message }) => message)
const task = { task: "mine", output_type: "retrieval", dataset_path: "mine" }

describe("the shipped tasks", () => {
  it.effect("are the twelve of STM, with where each comes from and its licence", () =>
    Effect.gen(function*() {
      const tasks = yield* tasksOf("stm", shipped("stm"))
      assert.strictEqual(new Set(tasks.map((own) => own.task)).size, 12)
      assert.strictEqual(new Set(tasks.map((own) => own.dataset_path)).size, 12)
      for (const { metadata } of tasks) {
        assert.isTrue([metadata?.dataset, metadata?.revision, metadata?.licence].every((text) => text !== undefined))
        assert.isTrue(metadata!.documents! >= metadata!.queries!)
      }
      const odd = tasks.filter(({ main_score }) => main_score !== "ndcg_at_10").map((own) => own.task)
      assert.deepStrictEqual(odd, ["FeedbackQARetrieval"])
      const splits = tasks.filter((own) => own.splits[0] !== "test").map((own) => own.splits)
      assert.deepStrictEqual(splits, [["all"], ["train"], ["train"]])
    }))
  it.effect("have development sets beside them", () =>
    Effect.gen(function*() {
      const tasks = yield* tasksOf("stm-dev", shipped("stm-dev"))
      assert.deepStrictEqual(tasks.map((own) => own.splits), [["dev"], ["dev"], ["dev"], ["dev"]])
    }))
})

describe("a file of tasks", () => {
  it.effect("has one task, with defaults for what it does not say", () =>
    Effect.gen(function*() {
      const [own] = yield* tasksOf("t.yaml", task)
      const { ignore_identical_ids, languages, main_score, splits } = own!
      assert.deepStrictEqual([main_score, splits, ignore_identical_ids, languages], [
        "ndcg_at_10",
        ["test"],
        false,
        ["eng-Latn"]
      ])
      const [several] = yield* tasksOf("t.yaml", { ...task, test_split: ["a", "b", "a"] })
      assert.deepStrictEqual(several!.splits, ["a", "b"])
    }))
  const refusals: ReadonlyArray<readonly [Raw, RegExp]> = [
    [
      { ...task, output_type: "loglikelihood" },
      /output_type: "loglikelihood" is not supported; retrieval, generate_until, m/
    ],
    [{ ...task, dataset_pth: "x" }, /"dataset_pth" is no key of a task, did you mean "dataset_path"\?/],
    [{ ...task, main_score: "ndcg@10" }, /main_score: /],
    [{ ...task, task: "../mine" }, /task: has to be a name/],
    [{ task: "mine", output_type: "retrieval" }, /needs a dataset_path, or a passages_file and a test_file/],
    [{ ...task, passages_file: "p.jsonl" }, /dataset_path and passages_file or test_file exclude each other/],
    [{ task: "m", output_type: "retrieval", passages_file: "p", test_file: "q", test_split: "dev" }, /test_split/],
    [{ dataset_path: "mine", output_type: "retrieval" }, /task: is missing/],
    [{ group: "g", task: [] }, /the group has no task/],
    [{ group: "g", task: ["SciFact"] }, /task 1: has to be a task \(key: value\); given "SciFact"/],
    [{ group: "g", task: [{ ...task, prompt: 3 }] }, /task "mine": prompt: /],
    [{ group: "g", task: [task], weight_by_size: true }, /"weight_by_size" is no key of a group/]
  ]
  for (const [file, why] of refusals) {
    it.effect(`is refused: ${why.source}`, () => Effect.map(problem(file), (message) => assert.match(message, why)))
  }
})
