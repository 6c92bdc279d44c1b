/** Complete a model's card. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { systemOf } from "../../../programs/benchmarks/compared/read.ts"
import { completedCard } from "../../../programs/cards/completed.ts"
import { replace } from "../../../runtime/files/disk.ts"
import { runtime, tell } from "../../command.ts"

export const cardCommand = Command.make(
  "card",
  {
    bench: Flag.String("bench").pipe(
      Flag.withMetavar("folder"),
      Flag.withDescription("Results of bench to put in it; repeat for more, as NAME=FOLDER"),
      Flag.atLeast(0)
    ),
    out: Flag.Path("out").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription("Write the card to this file, such as the README.md of MODEL; else it is printed"),
      Flag.optional
    ),
    model: Argument.String("model").pipe(Argument.withDescription("A model folder, with its card if it has one"))
  },
  Effect.fnUntraced(function*({ bench, model, out }) {
    const card = yield* completedCard(model, bench.map(systemOf))
    if (Option.isNone(out)) return yield* tell({ card }, () => card.trimEnd())
    yield* replace(out.value, new TextEncoder().encode(card))
    yield* tell({ file: out.value }, ({ file }) => file)
  })
).pipe(
  Command.withDescription(
    "Complete the card of a model by results of tasks, and by the steps of the recipe that made it"
  ),
  Command.provide(runtime)
)
