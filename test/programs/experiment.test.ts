/** Several runs of the tiny system from the same weights: they start alike, come out alike, and are told together. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Summary } from "../../src/domain/judge.ts"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import * as Experiment from "../../src/programs/experiments/experiment.ts"
import type { Plan } from "../../src/programs/experiments/experimentPlan.ts"
import * as Report from "../../src/report/tables.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { sha256 } from "../../src/runtime/files/disk.ts"
import * as Lock from "../../src/runtime/files/lock.ts"
import { type Progress, Reporter, silent } from "../../src/runtime/ports/Reporter.ts"
import { prepare } from "../support/cli.ts"
import { folderOf, onDisk } from "../support/files.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const arms = ["none", "frozen", "joint"]
const plan = (steps: number, ...seeds: readonly [number, ...Array<number>]): Plan => ({
  seeds,
  settings: { ...Tiny.experiment(folder), max_steps: steps },
  warm_up: { lexical: { mode: "lexical", max_steps: 2 } },
  arms: {
    none: { phases: {}, settings: { mode: "no_retrieval" } },
    frozen: { phases: {}, settings: { mode: "frozen_rag" } },
    joint: { phases: {}, settings: { mode: "joint" } }
  }
})

/** Runs a plan in a folder of that name. */
const run = (plan: Plan, name: string, overrides: Raw = {}) =>
  Experiment.experiment(plan, "plan.yaml", { output_dir: join(folder, name), ...overrides }).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent), { local: true })
  )

const ranking = ({ "mrr@100": mrr, "ndcg@10": ndcg, recall }: Summary) => ({ mrr, ndcg, recall })
/** What is the same again: all but times. */
const lasting = ({ arm, before, evaluation: { judged, summary }, seed, trained }: Experiment.Outcome) => ({
  arm,
  seed,
  before: before && ranking(before),
  judged,
  accuracy: summary.accuracy,
  losses: [trained.retrieverLoss, trained.readerLoss]
})
const weights = (name: string, arm: string, step: number, part: string) =>
  sha256(readFileSync(join(folder, name, "seed-1", arm, `checkpoint-${step}`, part, "model.safetensors")))

describe("an experiment", () => {
  it.live("starts every arm from the weights that the warm-up made", () =>
    Effect.gen(function*() {
      yield* run(plan(0, 1), "start")
      const readers = arms.map((arm) => weights("start", arm, 0, "reader"))
      assert.deepStrictEqual(readers, readers.map(() => readers[0]!))
      const retrievers = ["frozen", "joint"].map((arm) => weights("start", arm, 0, "retriever"))
      assert.deepStrictEqual(retrievers, retrievers.map(() => weights("start", "lexical", 2, "retriever")))
    }), 120_000)

  it.live("trains an arm's phases before it, each from the models of those before", () =>
    Effect.gen(function*() {
      const phases = { copy: { mode: "copy", max_steps: 1 }, gold: { mode: "oracle", max_steps: 1 } }
      const deep = { ...plan(0, 1), arms: { deep: { phases, settings: { mode: "joint" } } } }
      yield* run(deep, "phased")
      const of = (path: string, step: number) => weights("phased", path, step, "reader")
      const [first, second] = [of("deep/phases/copy", 1), of("deep/phases/gold", 1)]
      assert.notStrictEqual(first, second)
      assert.strictEqual(of("deep", 0), second)
      const settings = JSON.parse(
        readFileSync(join(folder, "phased/seed-1/deep/phases/gold/settings.json"), "utf8")
      ) as Raw
      assert.match(String(settings["reader_name_or_path"]), /deep\/phases\/copy\/checkpoint-1\/reader$/)
      assert.match(String(settings["retriever_name_or_path"]), /lexical\/checkpoint-2\/retriever$/)
    }), 120_000)

  it.live(
    "gives every arm of every seed its figures, the same the second time and alone",
    () =>
      Effect.gen(function*() {
        const outcomes = yield* run(plan(3, 1, 2), "whole")
        const runs = [1, 2].flatMap((seed) => arms.map((arm) => [arm, seed, 3]))
        assert.deepStrictEqual(outcomes.map((o) => [o.arm, o.seed, o.trained.steps]), runs)
        const [none, frozen, joint] = outcomes as [Experiment.Outcome, Experiment.Outcome, Experiment.Outcome]
        assert.isTrue(none.evaluation.judged.every((j) => !j.ranked))
        assert.deepStrictEqual([none.before, frozen.before], [undefined, undefined])
        /** The frozen retriever ranks as the learning one did before it learned. */
        assert.deepStrictEqual(ranking(joint.before!), ranking(frozen.evaluation.summary))
        assert.strictEqual(weights("whole", "frozen", 3, "retriever"), weights("whole", "lexical", 2, "retriever"))
        assert.notStrictEqual(weights("whole", "joint", 3, "retriever"), weights("whole", "lexical", 2, "retriever"))
        assert.notDeepEqual(joint.evaluation.judged, outcomes[5]!.evaluation.judged)

        const again = yield* run(plan(3, 1, 2), "whole")
        assert.deepStrictEqual(again, outcomes)

        const [alone, ...others] = yield* run(yield* Experiment.only(plan(3, 2), ["joint"], [1]), "alone")
        assert.deepStrictEqual([lasting(alone!), others], [lasting(joint), []])
        told(outcomes)
      }),
    120_000
  )
})

const rows = (table: string): ReadonlyArray<string> =>
  table.split("\n").slice(2).map((line) => line.split("|")[1]!.trim())

/** The report has a row an arm, whatever the seeds, and a row for each step from arm to arm. */
const told = (outcomes: ReadonlyArray<Experiment.Outcome>): void => {
  const [results, types, comparisons, ...rest] = Report.all(outcomes).split("\n\n")
  assert.deepStrictEqual([rows(results!), rows(types!), rows(comparisons!)], [arms, arms, ["none", "frozen"]])
  assert.deepStrictEqual(rest, [])
  assert.match(types!, /^\| arm +\| gene +\| sign +\|\n/)
  const joint = outcomes.filter((o) => o.arm === "joint")
  const mean = (values: ReadonlyArray<number | null>) =>
    (values.reduce<number>((a, b) => a + b!, 0) / values.length).toFixed(3)
  const line = results!.split("\n").at(-1)!
  assert.include(line, `| ${mean(joint.map((o) => o.evaluation.summary.accuracy!.mean))} `)
  const [before, after] = [joint.map((o) => o.before!["mrr@100"]), joint.map((o) => o.evaluation.summary["mrr@100"])]
  assert.include(line, `| ${mean(before)} → ${mean(after)} `)
  const figures = JSON.stringify(outcomes.map(Experiment.figures))
  assert.isFalse(figures.includes("judged"))
}

/** When each evaluation of the arm was written. */
const writtenAt = (arm: string) =>
  ["eval-before", "eval-test"].map((name) => statSync(join(folder, "kept/seed-1", arm, name, "metrics.json")).mtimeMs)

describe("an arm's evaluation", () => {
  it.live(
    "is kept, and made again where it is damaged or what it depends on has changed",
    () =>
      Effect.gen(function*() {
        const joint = { ...plan(1, 1), arms: { joint: { phases: {}, settings: { mode: "joint" } } } }
        const [first] = yield* run(joint, "kept")
        const [before, after] = writtenAt("joint")
        const judged = () =>
          Effect.map(run(joint, "kept"), ([again]) => assert.deepStrictEqual(lasting(again!), lasting(first!)))
        yield* judged()
        assert.deepStrictEqual(writtenAt("joint"), [before, after])

        const predictions = join(folder, "kept/seed-1/joint/eval-test/predictions.jsonl")
        const lines = readFileSync(predictions, "utf8").trimEnd().split("\n")
        assert.strictEqual(lines.length, first!.evaluation.judged.length)
        writeFileSync(predictions, lines.join("\n").slice(0, -9))
        yield* judged()
        assert.strictEqual(writtenAt("joint")[0], before)
        assert.isAbove(writtenAt("joint")[1]!, after!)

        const [fewer] = yield* run(joint, "kept", { max_eval_samples: 3 })
        assert.strictEqual(fewer!.evaluation.judged.length, 3)
        assert.strictEqual(fewer!.before!.questions, 3)
        yield* judged()
      }),
    120_000
  )
})

describe("a plan", () => {
  it.live(
    "is shared by runners of one folder: each arm is trained once, and all have all figures",
    () =>
      Effect.gen(function*() {
        const trained: Array<string> = []
        const counting = Layer.succeed(Reporter, {
          report: ({ done, task }: Progress) =>
            Effect.sync(() => {
              if (done === 1 && /^(no_retrieval|frozen_rag|joint|lexical)$/.test(task)) trained.push(task)
            }),
          note: () => Effect.void
        })
        const runner = Experiment.experiment(plan(3, 1), "plan.yaml", { output_dir: join(folder, "shared") }).pipe(
          Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), counting), { local: true })
        )
        const [first, second] = yield* Effect.all([runner, runner], { concurrency: 2 })
        assert.deepStrictEqual(trained.toSorted(), ["frozen_rag", "joint", "lexical", "no_retrieval"])
        assert.deepStrictEqual(first, second)
      }),
    120_000
  )
  it.live(
    "goes on with another seed while another runner is at the warm-up of the first",
    () =>
      Effect.gen(function*() {
        const { arms: { none }, ...rest } = plan(1, 1, 2)
        const out = join(folder, "seeds")
        const told: Array<string> = []
        const released = yield* Deferred.make<void>()
        const reporter = Layer.succeed(Reporter, {
          report: () => Effect.void,
          note: (text: string) => {
            told.push(text)
            return /are waited for/.test(text) ? Deferred.succeed(released, undefined) : Effect.void
          }
        })
        const other = Lock.holding(join(out, "seed-1/.runners/warm_up"))(Deferred.await(released))
        yield* Effect.forkScoped(Effect.provide(other, NodeServices.layer))
        yield* Effect.sleep("200 millis")
        const outcomes = yield* Experiment.experiment({ ...rest, arms: { none: none! } }, "plan.yaml", {
          output_dir: out
        })
          .pipe(Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), reporter), { local: true }))
        assert.deepStrictEqual(outcomes.map(({ seed }) => seed), [1, 2])
        const waited = told.filter((text) => /waited for/.test(text))
        assert.deepStrictEqual(waited, [
          `other processes are at what is left, and are waited for: ${join(out, "seed-1")}: the warm-up`
        ])
        const [first, second] = [1, 2].map((seed) => statSync(join(out, `seed-${seed}/none/eval-test/metrics.json`)))
        assert.isBelow(second!.mtimeMs, first!.mtimeMs)
      }).pipe(Effect.scoped),
    120_000
  )
  it.live("is refused before anything runs where an arm's settings are", () =>
    Effect.gen(function*() {
      const bad = { ...plan(3, 1), arms: { joint: { phases: {}, settings: { mode: "joint", learning_rte: 1 } } } }
      const error = yield* Effect.flip(run(bad, "bad"))
      assert.match(String(error), /plan\.yaml, arms\.joint: unknown key "learning_rte", did you mean "learning_rate"/)
      assert.isFalse(existsSync(join(folder, "bad")))
    }), 120_000)
  it.live("loses the arms that are not named; one that it lacks is an error", () =>
    Effect.gen(function*() {
      const names = (arms: ReadonlyArray<string>) =>
        Effect.map(Experiment.only(plan(3, 1), arms, []), (kept) => Object.keys(kept.arms))
      assert.deepStrictEqual(yield* names([]), arms)
      assert.deepStrictEqual(yield* names(["joint", "none"]), ["none", "joint"])
      const error = yield* Effect.flip(names(["joint", "jiont"]))
      assert.strictEqual(error.message, "--arm: no arm is named jiont; there are none, frozen, joint")
    }))

  it.live("is read from YAML", () =>
    onDisk(Effect.gen(function*() {
      const text = "seeds: [1]\nsettings: { lr: &rate 1e-3 }\narms:\n  joint: { mode: joint, learning_rate: *rate }\n"
      const own = yield* folderOf({ "plan.yaml": text, "run.yaml": "mode: joint\n" })
      const found: unknown = yield* Experiment.readPlan(join(own, "plan.yaml"))
      const arms = { joint: { phases: {}, settings: { mode: "joint", learning_rate: 1e-3 } } }
      assert.deepStrictEqual(found, { seeds: [1], settings: { lr: 1e-3 }, warm_up: {}, arms })
      const error = yield* Effect.flip(Experiment.readPlan(join(own, "run.yaml")))
      assert.match(error.message, /run\.yaml: is no plan of an experiment: it has no arms$/)
    })))
})
