/** Searches of a merge: what is evaluated again and what is not, every method, and what is refused before any merge. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse, stringify } from "yaml"
import { loadTask } from "../../../src/datasets/benchmarks/load.ts"
import { type RetrievalTask, tasksOf } from "../../../src/domain/benchmarks/task.ts"
import * as Key from "../../../src/domain/Key.ts"
import { bench } from "../../../src/programs/benchmarks/bench.ts"
import { tasksNamed } from "../../../src/programs/benchmarks/tasks.ts"
import { mergeModels } from "../../../src/programs/mergeModels.ts"
import { sampled } from "../../../src/programs/search/devSets.ts"
import { decode } from "../../../src/programs/search/file.ts"
import type { SearchReport } from "../../../src/programs/search/outcome.ts"
import { searchMerge } from "../../../src/programs/search/searchMerge.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import { readObject } from "../../../src/runtime/files/settings.ts"
import { decode as decodeConfig } from "../../../src/runtime/models/merging/config.ts"
import * as Reporter from "../../../src/runtime/ports/Reporter.ts"
import { settle } from "../../../src/systems/all.ts"
import { expert, writeSearch } from "../../support/experts.ts"
import { onDisk } from "../../support/files.ts"
import * as Tiny from "../../support/tiny.ts"

const running = Effect.provide(Layer.merge(cpu({ threads: 1 }), Reporter.silent))
const options = { maxShardSize: "5GB", seed: 0 }
const json = (...path: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...path), "utf8")) as any
const yaml = (...path: ReadonlyArray<string>) => parse(readFileSync(join(...path), "utf8")) as any
const bytes = (...path: ReadonlyArray<string>) => readFileSync(join(...path), "base64")

/** A folder with the tiny retriever, three experts and a task. */
const prepared = Effect.gen(function*() {
  const folder = yield* Tiny.weighted
  yield* Effect.promise(() => writeSearch(folder))
  return folder
})

type Entry = readonly [name: string, parameters?: object]
const entries = (folder: string, all: ReadonlyArray<Entry>) =>
  all.map(([name, parameters = { weight: 1 }]) => ({ model: join(folder, name), parameters }))
const linear = (folder: string, ...names: ReadonlyArray<string>) => ({
  merge_method: "linear",
  models: entries(folder, names.map((name) => [name]))
})
const weights = { simplex: "models[*].parameters.weight" }
/** One level and no refinement: coarse points on the whole of the task. */
const plain = { levels: [{}], refine: 0 }
const levels = [{ examples: 3, passages: 6, keep: 0.334 }, {}]

const run = (folder: string, config: object, search: object, out = "out") =>
  Effect.suspend(() => {
    const [path, file] = [join(folder, `${out}.yaml`), join(folder, `${out}.search.yaml`)]
    const settings = { query_max_len: 24, passage_max_len: 64 }
    writeFileSync(path, stringify(config))
    writeFileSync(file, stringify({ tasks: [join(folder, "tasks.yaml")], data: folder, settings, ...search }))
    rmSync(join(folder, out), { recursive: true, force: true })
    return searchMerge(path, file, join(folder, out), options)
  }).pipe(running)

describe("a search of a merge", () => {
  it.live(
    "finds the best of what it evaluated, as bench scores it, and its config repeats the merge",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const result = yield* run(folder, linear(folder, "a", "b", "c"), { vary: [weights], levels, refine: 1 })
        const { evaluations, points, score, ...report } = json(folder, "out.search", "report.json") as SearchReport
        assert.deepStrictEqual(report.levels, [{ Tiny: 3 }, { Tiny: 6 }])
        assert.deepStrictEqual([result.evaluated, result.kept], [evaluations, 0])
        assert.isAtLeast(evaluations, 15 + 6)
        assert.strictEqual(points.length, new Set(points.map(({ numbers }) => JSON.stringify(numbers))).size)
        assert.strictEqual(score, Math.max(...points.filter(({ level }) => level === 1).map((point) => point.score)))
        const found = yaml(folder, "out", "mergekit_config.yml")
        assert.deepStrictEqual(found.models.map((own: any) => own.parameters.weight), Object.values(result.numbers))
        yield* mergeModels(join(folder, "out", "mergekit_config.yml"), join(folder, "again"), options).pipe(running)
        assert.strictEqual(bytes(folder, "again", "model.safetensors"), bytes(folder, "out", "model.safetensors"))
        const card = readFileSync(join(folder, "out", "README.md"), "utf8")
        for (const part of ["## Search", "models[2].parameters.weight", score.toFixed(4), "only a test set"]) {
          assert.include(card, part)
        }
        const settings = yield* Tiny.settings(folder, {
          mode: "frozen_rag",
          retriever_name_or_path: join(folder, "out"),
          query_max_len: 24,
          passage_max_len: 64
        })
        const asked = {
          tasks: [join(folder, "tasks.yaml")],
          data: folder,
          out: undefined,
          train: [],
          named: false,
          likeness: 1
        }
        const { mean } = yield* bench(settings, asked).pipe(running, Effect.provide(NodeServices.layer))
        assert.closeTo(mean!.main_score, score, 1e-5)
        assert.deepStrictEqual(readdirSync(join(folder, "out.search")).toSorted(), ["evaluations", "report.json"])
      })),
    300_000
  )
  it.live(
    "evaluates again what has changed, be it a model, the data or a setting, and nothing else",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const config = {
          merge_method: "slerp",
          base_model: join(folder, "a"),
          models: [{ model: join(folder, "b") }],
          parameters: { t: 0.5 }
        }
        const counted = (search: object, values: ReadonlyArray<number> = [0, 0.5, 1]) =>
          Effect.map(
            run(folder, config, { vary: [{ number: "parameters.t", values }], ...plain, ...search }),
            ({ evaluated, kept }) => [evaluated, kept]
          )
        assert.deepStrictEqual(yield* counted({}), [3, 0])
        assert.deepStrictEqual(yield* counted({}), [0, 3])
        assert.deepStrictEqual(yield* counted({}, [0, 0.25, 0.5, 1]), [1, 3])
        assert.deepStrictEqual(yield* counted({ settings: { query_max_len: 20, passage_max_len: 64 } }), [3, 0])
        rmSync(join(folder, "b"), { recursive: true })
        yield* Effect.promise(() => expert(join(folder, "c"), join(folder, "b"), 0.01))
        assert.deepStrictEqual(yield* counted({}), [3, 0])
        const queries = join(folder, "tiny", "queries.jsonl")
        writeFileSync(queries, readFileSync(queries, "utf8").replace("Kinky", "Curly"))
        assert.deepStrictEqual(yield* counted({}), [3, 0])
        const store = join(folder, "out.search", "evaluations")
        const kept = readdirSync(store, { recursive: true }).map(String).filter((name) => name.endsWith(".json"))
        for (const name of kept) writeFileSync(join(store, name), "[1]")
        assert.deepStrictEqual(yield* counted({}), [3, 0])
      })),
    300_000
  )
  it.live(
    "takes weights in the same ratios for one point, where the method divides by their sum",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const both = (values: ReadonlyArray<number>) => ({
          vary: [0, 1].map((i) => ({ number: `models[${i}].parameters.weight`, values })),
          together: true,
          ...plain
        })
        const counted = (config: object, out: string) =>
          Effect.map(run(folder, config, both([1, 2, 4]), out), ({ evaluated }) => evaluated)
        assert.strictEqual(yield* counted(linear(folder, "a", "b"), "divided"), 5)
        assert.strictEqual((yield* run(folder, linear(folder, "a", "b"), both([0, 1]), "zero")).evaluated, 3)
        const whole = { ...linear(folder, "a", "b"), parameters: { normalize: false } }
        assert.strictEqual(yield* counted(whole, "plain"), 9)
      })),
    300_000
  )
  it.live(
    "searches a density at the best weights, and by CMA-ES as far as the budget goes",
    () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const own = { weight: 0.5, density: 0.5 }
        const config = {
          merge_method: "ties",
          base_model: join(folder, "retriever"),
          models: entries(folder, [["a", own], ["b", own]])
        }
        const density = { number: "models[*].parameters.density", values: [0.2, 0.6, 1] }
        const grid = yield* run(folder, config, { vary: [weights, density], ...plain })
        assert.strictEqual(grid.evaluated, 5 + 3)
        const found = yaml(folder, "out", "mergekit_config.yml").models.map((own: any) => own.parameters.density)
        assert.deepStrictEqual(found, Array(2).fill(grid.numbers["models[*].parameters.density"]))
        const cma = {
          method: "cma-es",
          budget: 9,
          vary: [weights, { number: "models[*].parameters.density", from: 0.1, to: 1 }]
        }
        const evolved = yield* run(folder, config, { ...cma, levels: [{}] }, "evolved")
        assert.deepStrictEqual([evolved.evaluated, evolved.stopped], [9, true])
      })),
    300_000
  )
  it.live("samples a level's queries with their judged passages, the same for every candidate", () =>
    onDisk(Effect.gen(function*() {
      const folder = yield* prepared
      const [task] = yield* tasksOf("tasks.yaml", yaml(folder, "tasks.yaml"))
      const data = yield* loadTask(task as RetrievalTask, "dev", {
        folder,
        memory: 1e6,
        skipBad: false,
        seen: () => undefined
      })
      const key = Key.make(1)
      const [some, more] = [
        yield* sampled(data, key, { examples: 2, passages: 5 }),
        yield* sampled(data, key, { examples: 4, passages: 5 })
      ]
      assert.deepStrictEqual([some.queries.length, some.corpus.size, more.queries.length], [2, 5, 4])
      assert.deepStrictEqual(more.queries.slice(0, 2), some.queries)
      for (const { grades } of some.queries) {
        for (const id of grades.keys()) assert.isAtLeast(some.corpus.row(id), 0)
      }
      const again = yield* sampled(data, key, { examples: 2, passages: 5 })
      assert.strictEqual(again.corpus.hash, some.corpus.hash)
      assert.notDeepEqual((yield* sampled(data, Key.make(2), { examples: 2, passages: 5 })).queries, some.queries)
      const all = yield* sampled(data, key, {})
      assert.deepStrictEqual([all.queries.length, all.corpus.hash], [6, data.corpus.hash])
      assert.strictEqual((yield* sampled(data, key, { examples: 6, passages: 1 })).corpus.size, 6)
    })))
})

/** What is wrong, and part of the message. */
const refused: Readonly<Record<string, readonly [search: object, why: RegExp, method?: string]>> = {
  "an unknown parameter": [
    { vary: [{ simplex: "models[*].parameters.wieght" }] },
    /models\[0\]\.parameters has no wieght, did you mean weight\?/
  ],
  "places that are none, or no parameters": [
    {
      vary: [
        { number: "models.weight", values: [1] },
        { number: "models[7].parameters.weight", values: [1] },
        { number: "models[0].model", values: [1] },
        { number: "models[", values: [1] }
      ]
    },
    /models has no keys\n.*models has 3 items\n.*is no parameter.*\n.*"models\[" is no path/
  ],
  "an empty grid": [
    { vary: [{ number: "models[0].parameters.weight", values: [] }] },
    /values: has none, so that the grid is empty/
  ],
  "a place that is named twice": [
    { vary: [weights, { number: "models[0].parameters.weight", values: [1] }] },
    /vary: models\[0\]\.parameters\.weight is named twice/
  ],
  "a simplex of one number": [
    { vary: [{ simplex: "models[0].parameters.weight" }] },
    /a simplex needs two numbers or more/
  ],
  "a range that is none": [
    { vary: [{ number: "models[0].parameters.weight", values: [1], from: 2, to: 1 }] },
    /from 2 is greater than to 1/
  ],
  "nothing to vary": [{ vary: [] }, /vary/],
  "a task that is not there": [{ vary: [weights], tasks: ["Nothing"] }, /Nothing is neither a file nor a shipped task/],
  "a task without its data": [
    { vary: [weights], tasks: ["SciFact"] },
    /SciFact: there is no folder .*scifact; it is mteb\/scifact/
  ],
  "an unknown key": [{ vary: [weights], taks: [] }, /taks is no key of a search, did you mean "tasks"\?/],
  "levels of which none goes on": [{ vary: [weights], levels: [{ examples: 2 }, {}] }, /levels\[0\]\.keep: is missing/],
  "a last level that goes on": [{ vary: [weights], levels: [{ keep: 2 }] }, /nothing follows the last level/],
  "a budget below the grid": [{ vary: [weights], budget: 3 }, /budget: 3 is less than the 15 points/],
  "a grid beyond reason": [
    { vary: [{ ...weights, steps: 1000 }] },
    /the grid has 501501 points, and at most 10000 are allowed; use cma-es/
  ],
  "cma-es without a budget": [{ vary: [weights], method: "cma-es" }, /budget: cma-es needs one/],
  "cma-es without a range": [
    { vary: [{ number: "models[0].parameters.weight" }], method: "cma-es", budget: 5 },
    /cma-es needs from and to/
  ],
  "a retriever that is no model": [
    { vary: [weights], settings: { mode: "bm25_rag" } },
    /mode bm25_rag has no retriever/
  ],
  "a setting that is none": [{ vary: [weights], settings: { query_len: 3 } }, /unknown key "query_len"/],
  "points of which none can be merged": [
    { vary: [{ number: "models[*].parameters.weight", values: [0] }] },
    /the weights sum to 0/
  ],
  "a config that is wrong": [{ vary: [weights] }, /base_model: ties needs one/, "ties"]
}

describe("a search is refused, before any merge, for", () => {
  for (const [what, [search, why, merge_method = "linear"]] of Object.entries(refused)) {
    it.live(what, () =>
      onDisk(Effect.gen(function*() {
        const folder = yield* prepared
        const error = yield* Effect.flip(run(folder, { ...linear(folder, "a", "b", "c"), merge_method }, search))
        assert.strictEqual(error._tag, "ConfigError")
        assert.match(error.message, why)
        assert.isFalse(existsSync(join(folder, "out")) || existsSync(join(folder, "out.search")))
      })))
  }
})

describe("the shipped searches", () => {
  const read = (name: string) => readObject(join(import.meta.dirname, "../../../experiments/stm", name))
  for (const name of ["linear", "ties"]) {
    it.live(`of STM: ${name}`, () =>
      onDisk(Effect.gen(function*() {
        const template = yield* read(`${name}.yaml`)
        const search = yield* decode(name, yield* read(`${name}.search.yaml`), template)
        const { config, idle } = yield* decodeConfig(name, template)
        assert.deepStrictEqual([config.name, config.models.length, idle.length], [name, 4, 0])
        const [weights, density] = search.varied
        assert.deepStrictEqual(weights!.variable, { kind: "simplex", size: 4, steps: 4 })
        assert.strictEqual(density?.places[0]?.length, name === "ties" ? 4 : undefined)
        const tasks = yield* tasksNamed(search.tasks)
        assert.sameMembers(tasks.map(({ task }) => task), ["NFCorpus-dev", "FiQA2018-dev", "Quora-dev", "DBPedia-dev"])
        const { unused } = yield* settle([{
          source: name,
          settings: {
            mode: "frozen_rag",
            output_dir: "o",
            passages_file: "p",
            retriever_name_or_path: "r",
            reader_name_or_path: "r",
            ...search.settings
          }
        }])
        assert.deepStrictEqual(unused, [])
      })))
  }
})
