/** Every objective of the retriever in a run of the tiny models: it learns from it, and alike a second time. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Experiment from "../../src/programs/experiments/experiment.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Journal from "../../src/runtime/files/journal.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { fields } from "../../src/systems/jmlr/settings.ts"
import { prepare } from "../support/cli.ts"
import * as Tiny from "../support/tiny.ts"

let folder: string
beforeAll(async () => {
  folder = await prepare()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const modes = ["llm_rank", "pdist", "pdist_prior", "emdr2", "loop", "adist", "replug"] as const
/** What each adds to a row besides candidates. */
const columns: Readonly<Record<typeof modes[number], ReadonlyArray<string>>> = {
  llm_rank: ["nll", "preference"],
  pdist: ["nll", "target"],
  pdist_prior: ["nll", "target"],
  emdr2: ["nll", "target"],
  loop: ["nllWithout", "target"],
  adist: ["attention", "target"],
  replug: ["nll", "logTarget"]
}

describe("objectives of the retriever", () => {
  it("are those of the setting", () => assert.deepStrictEqual([...fields.gold_score_mode.literals], [...modes]))
  it.live(
    "teach a retriever of weights, each with its columns in the journal and losses of its own",
    () =>
      Effect.gen(function*() {
        const plan = {
          seeds: [1],
          settings: {
            ...Tiny.experiment(folder),
            output_dir: join(folder, "objectives"),
            mode: "joint",
            max_steps: 2,
            temperature_gold: 0.1,
            temperature_score: 1
          },
          warm_up: {},
          arms: Object.fromEntries(modes.map((mode) => [mode, { phases: {}, settings: { gold_score_mode: mode } }]))
        } as const
        const outcomes = yield* Experiment.experiment(plan, "plan.yaml", {}).pipe(
          Effect.provide(Layer.mergeAll(NodeServices.layer, cpu({ threads: 1 }), silent), { local: true })
        )
        assert.deepStrictEqual(outcomes.map(({ arm }) => arm), [...modes])
        const losses = outcomes.map(({ trained: { retrieverLoss } }) => retrieverLoss!)
        assert.isTrue(losses.every((loss) => Number.isFinite(loss) && loss > 0))
        assert.strictEqual(new Set(losses).size, modes.length)
        for (const mode of modes) {
          const [batch] = yield* Journal.read(join(folder, "objectives", "seed-1", mode)).pipe(
            Effect.provide(NodeServices.layer)
          )
          const names = new Set(batch!.schema.fields.map(({ name }) => name))
          const own = ["nll", "nllWithout", "attention", "preference", "target", "logTarget"]
          assert.deepStrictEqual(
            own.filter((name) => names.has(name)),
            own.filter((name) => columns[mode].includes(name))
          )
          for (const name of columns[mode]) {
            const values = Array.from(batch!.getChild(name)!, (row) => Array.from(row as Iterable<number>)).flat()
            assert.isTrue(values.every(Number.isFinite), `${mode} ${name}`)
          }
        }
      }),
    120_000
  )
})
