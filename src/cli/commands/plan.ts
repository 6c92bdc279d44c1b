/** Estimate the cost of a run. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { plan } from "../../programs/costs/plan.ts"
import { planTable } from "../../report/planTable.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const planCommand = Command.make(
  "plan",
  {
    ...settings,
    steps: Flag.Int("steps").pipe(
      Flag.withDescription("Steps to measure; 0 to report parameters, weights and checkpoints only"),
      Flag.withDefault(3)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* plan(yield* settle(flags), flags.steps), planTable)
  })
).pipe(
  Command.withDescription(
    "Estimate what a run takes (memory, disk, time) by running a few of its steps; writes nothing"
  ),
  Command.provide(runtime)
)
