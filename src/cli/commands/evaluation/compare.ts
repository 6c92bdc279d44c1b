/** Compare evaluations. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { compare, figures, systemsOf } from "../../../programs/evaluation/compare.ts"
import { compareTable } from "../../../report/compareTable.ts"
import { runtime, tell } from "../../command.ts"

export const compareCommand = Command.make(
  "compare",
  {
    figure: Flag.Literals("figure", Object.keys(figures) as [string, ...ReadonlyArray<string>]).pipe(
      Flag.withDescription("What is compared"),
      Flag.withDefault("accuracy")
    ),
    split: Flag.String("split").pipe(
      Flag.withDescription("Of a run's evaluations, that of which split"),
      Flag.withDefault("test")
    ),
    systems: Argument.String("systems").pipe(
      Argument.withDescription(
        "Folders of runs or of evaluations, the first of which the others are compared with; an arm under several "
          + "seeds (seed-*/joint) is one system, as is NAME=FOLDER,FOLDER"
      ),
      Argument.atLeast(2)
    )
  },
  Effect.fnUntraced(function*({ figure, split, systems }) {
    yield* tell(yield* compare(systemsOf(systems), { figure, split }), compareTable)
  })
).pipe(
  Command.withDescription(
    "Compare evaluations question by question, with intervals, tests, and the questions they would need"
  ),
  Command.provide(runtime)
)
