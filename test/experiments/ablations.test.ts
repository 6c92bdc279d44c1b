/** The shipped ablations: a plan whose cells are what its README says, each with settings that are right. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readPlan } from "../../src/programs/experiments/experiment.ts"
import { check, runs, settingsOf } from "../../src/programs/experiments/experimentPlan.ts"
import { placed } from "../../src/programs/experiments/twins.ts"

const source = "experiments/demo-ablations/experiment.yaml"

describe("the ablations of the demo", () => {
  it.effect("are valid, have every objective, and four cells that are the base", () =>
    Effect.gen(function*() {
      const planned = { plan: yield* readPlan(source), source, overrides: {} }
      assert.deepStrictEqual(yield* check(planned), [])
      const { arms } = runs(planned.plan, 1)
      const cells = yield* placed(planned, arms)
      const twins = cells.filter(({ twin }) => twin !== undefined)
      assert.deepStrictEqual(twins.map(({ name, twin }) => [name, twin]), [
        ["sampling,sampling=weighted", "joint"],
        ["documents,n_context=3", "joint"],
        ["candidates,n_candidates=30", "joint"],
        ["refresh,refresh_index=16", "joint"]
      ])
      assert.strictEqual(cells.length - twins.length, 23)
      const settled = yield* Effect.forEach(arms, ({ run }) => settingsOf(planned, run))
      const modes = settled.map(({ config }) => Object(config).gold_score_mode as string)
      assert.sameMembers([...new Set(modes)], ["llm_rank", "pdist", "pdist_prior", "emdr2", "loop", "adist", "replug"])
    }).pipe(Effect.provide(NodeServices.layer)))
})
