/** Cells of an experiment share what they have in common, and come out as they do alone. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import * as Experiment from "../../src/programs/experiments/experiment.ts"
import type { Arm, Plan } from "../../src/programs/experiments/experimentPlan.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import { Reporter } from "../../src/runtime/ports/Reporter.ts"
import { prepare } from "../support/cli.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const arm = (settings: Raw, phases: Arm["phases"] = {}): Arm => ({ phases, settings })
const copy = { copy: { mode: "copy", max_steps: 1 } }
const arms: Readonly<Record<string, Arm>> = {
  joint: arm({ mode: "joint" }),
  /** A temperature of distributions, of which ranks by pairs have none. */
  twin: arm({ mode: "joint", temperature_gold: 3 }),
  lagging: arm({ mode: "joint", reader_lag: 1 }),
  frozen: arm({ mode: "frozen_rag" }),
  wider: arm({ mode: "frozen_rag", n_context: 3 }),
  phased: arm({ mode: "joint" }, copy),
  again: arm({ mode: "joint", learning_rate: 2e-2 }, copy)
}
const plan = (names: ReadonlyArray<string>): Plan => ({
  seeds: [1],
  settings: Tiny.experiment(folder),
  warm_up: {},
  arms: Object.fromEntries(names.map((name) => [name, arms[name]!]))
})

const run = Effect.fnUntraced(function*(names: ReadonlyArray<string>, name: string) {
  const notes: Array<string> = []
  const reporter = Layer.succeed(Reporter, {
    report: () => Effect.void,
    note: (line) => Effect.sync(() => void notes.push(line))
  })
  const outcomes = yield* Experiment.experiment(plan(names), "plan.yaml", { output_dir: join(folder, name) }).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), reporter), { local: true })
  )
  return { outcomes, notes }
})
/** What there is of an outcome but times and paths. */
const lasting = ({ before, evaluation, trained }: Experiment.Outcome) => ({
  before: before && { ...before, seconds: 0, questionsPerSecond: 0 },
  judged: evaluation.judged,
  losses: [trained.retrieverLoss, trained.readerLoss]
})
const checkpoint = (name: string, arm: string) => {
  const path = join(folder, name, "seed-1", arm, "checkpoint-3")
  return ["retriever", "reader"].flatMap((part) =>
    readdirSync(join(path, part)).map((file) => [part, file, readFileSync(join(path, part, file), "base64")] as const)
  )
}
const savedIn = (notes: ReadonlyArray<string>): string => notes.find((line) => line.startsWith("shared,")) ?? ""

describe("cells of an experiment", () => {
  it.live(
    "share index, ranking, candidates, phases and equal arms, and come out as they do alone",
    () =>
      Effect.gen(function*() {
        const names = Object.keys(arms)
        const together = yield* run(names, "together")
        const saved = savedIn(together.notes)
        /** Of seven arms one is another, which leaves six that start from one index, and four of them with one ranking. */
        assert.match(saved, /index [45] times \(\d+ texts/)
        assert.match(saved, /rankings 3 times \(18 texts/)
        assert.match(saved, /candidates \d+ times/)
        assert.match(saved, /phases 1 times \(\d+ texts/)
        assert.match(saved, /arms 1 times \(\d+ texts/)
        assert.isTrue(
          together.notes.some((line) => /twin: has the settings of .*joint, and is not run again/.test(line))
        )
        assert.isFalse(existsSync(join(folder, "together/seed-1/again/phases")))
        assert.isFalse(existsSync(join(folder, "together/seed-1/twin/checkpoint-3")))
        for (const name of ["twin", "wider", "again"]) {
          const i = names.indexOf(name)
          const { notes, outcomes: [alone] } = yield* run([name], `alone-${name}`)
          assert.notMatch(savedIn(notes), /index|rankings|phases|arms/)
          assert.deepStrictEqual(lasting(together.outcomes[i]!), lasting(alone!), name)
          if (name !== "twin") assert.deepStrictEqual(checkpoint("together", name), checkpoint(`alone-${name}`, name))
        }
        const again = yield* run(names, "together")
        assert.deepStrictEqual(again.outcomes, together.outcomes)
        assert.strictEqual(savedIn(again.notes), "")
      }),
    240_000
  )

  it.live("take nothing from a damaged file, nor from another experiment's", () =>
    Effect.gen(function*() {
      const first = yield* run(["frozen"], "damaged")
      const shared = join(folder, "damaged", ".shared")
      for (const kind of ["index", "candidates"]) {
        for (const name of readdirSync(join(shared, kind))) {
          const path = join(shared, kind, name)
          writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, -3), Buffer.of(1, 2, 3)]))
        }
      }
      rmSync(join(folder, "damaged", "seed-1"), { recursive: true })
      const second = yield* run(["frozen"], "damaged")
      assert.deepStrictEqual(lasting(second.outcomes[0]!), lasting(first.outcomes[0]!))
      /** A run's first batch is looked at before it is learned. */
      const times = /candidates (\d+) times/
      assert.deepStrictEqual(times.exec(savedIn(second.notes))![1], times.exec(savedIn(first.notes))![1])
      assert.notMatch(savedIn(second.notes), /index/)
    }), 60_000)
})
