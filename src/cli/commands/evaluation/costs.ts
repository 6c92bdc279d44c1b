/** What runs cost, side by side. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { compareCosts } from "../../../programs/costs/compareCosts.ts"
import { systemsOf } from "../../../programs/evaluation/compare.ts"
import { costsTable } from "../../../report/costsTable.ts"
import { refuse, runtime, tell } from "../../command.ts"

/** `NAME=VALUE` arguments as entries. */
const named = Effect.fnUntraced(function*(flag: string, given: ReadonlyArray<string>) {
  const bad = given.find((pair) => pair.indexOf("=") < 1)
  if (bad !== undefined) return yield* refuse(flag, `${bad} is not NAME=VALUE`)
  return given.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const)
})

export const costsCommand = Command.make(
  "costs",
  {
    plan: Flag.String("plan").pipe(
      Flag.withMetavar("name=file"),
      Flag.withDescription("Output of anamnesis plan --json of a system's settings, for its FLOPs; repeat for more"),
      Flag.atLeast(0)
    ),
    published: Flag.String("published").pipe(
      Flag.withMetavar("name=hours"),
      Flag.withDescription("GPU hours that others have published, as Meditron-70B=42630; repeat for more"),
      Flag.atLeast(0)
    ),
    systems: Argument.String("systems").pipe(
      Argument.withDescription(
        "Folders of runs; NAME=FOLDER,FOLDER for several that are summed, such as seeds, or warm-ups and what follows them"
      ),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ plan, published, systems }) {
    const hours = (yield* named("--published", published)).map(([name, text]) => [name, Number(text)] as const)
    const bad = hours.find(([, value]) => !(value > 0))
    if (bad !== undefined) return yield* refuse("--published", `${bad[0]}: hours have to be a number above 0`)
    const plans = Object.fromEntries(yield* named("--plan", plan))
    yield* tell(
      yield* compareCosts(systemsOf(systems), { plans, published: Object.fromEntries(hours) }),
      costsTable
    )
  })
).pipe(
  Command.withDescription(
    "What training and evaluating runs cost, side by side: hours, FLOPs, and published hours beside them"
  ),
  Command.provide(runtime)
)
