/** Train and compare several arms. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { experiment, figures, only, readPlan } from "../../programs/experiments/experiment.ts"
import { locally } from "../../programs/experiments/localModels.ts"
import { pairs } from "../../programs/settings.ts"
import * as Report from "../../report/tables.ts"
import { models, refuse, runtime, settings, tell } from "../command.ts"
import { RUNNERS, runners } from "../runners.ts"

export const experimentCommand = Command.make(
  "experiment",
  {
    plan: Argument.File("plan.yaml").pipe(Argument.withDescription("Seeds, settings, warm-ups and arms")),
    set: settings.set,
    models,
    arm: Flag.String("arm").pipe(Flag.withDescription("Run only this arm; repeat for more"), Flag.atLeast(0)),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Run this seed instead of the plan's; repeat for more"),
      Flag.atLeast(0)
    ),
    runners: Flag.Int(RUNNERS).pipe(
      Flag.withMetavar("count"),
      Flag.withDescription("Share the work among so many processes, which share the cores"),
      Flag.withDefault(1)
    )
  },
  Effect.fnUntraced(function*({ arm, models: folder, plan: source, runners: count, seed, set }) {
    if (count < 1) return yield* refuse(`--${RUNNERS}`, `${count} is no number of processes`)
    if (count > 1) return yield* runners(count)
    const given = { plan: yield* only(yield* readPlan(source), arm, seed), overrides: yield* pairs(set) }
    const { overrides, plan } = yield* locally(given, Option.getOrUndefined(folder))
    const outcomes = yield* experiment(plan, source, overrides)
    yield* tell(outcomes.map(figures), () => Report.all(outcomes))
  })
).pipe(
  Command.withDescription("Train and evaluate several arms from the same start; continues where it stopped"),
  Command.provide(runtime)
)
