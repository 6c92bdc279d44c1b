/** Train and compare several arms. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { experiment, figures, only, readPlan } from "../../programs/experiments/experiment.ts"
import { pairs } from "../../programs/settings.ts"
import * as Report from "../../report/tables.ts"
import { runtime, settings, tell } from "../command.ts"

export const experimentCommand = Command.make(
  "experiment",
  {
    plan: Argument.File("plan.yaml").pipe(Argument.withDescription("Seeds, settings, warm-ups and arms")),
    set: settings.set,
    arm: Flag.String("arm").pipe(Flag.withDescription("Run only this arm; repeat for more"), Flag.atLeast(0)),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Run this seed instead of the plan's; repeat for more"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function*({ arm, plan, seed, set }) {
    const outcomes = yield* experiment(yield* only(yield* readPlan(plan), arm, seed), plan, yield* pairs(set))
    yield* tell(outcomes.map(figures), () => Report.all(outcomes))
  })
).pipe(
  Command.withDescription("Train and evaluate several arms from the same start; continues where it stopped"),
  Command.provide(runtime)
)
