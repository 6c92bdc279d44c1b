/** Agreement of raters. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { agree } from "../../../programs/evaluation/agree.ts"
import { agreementTable } from "../../../report/agreementTable.ts"
import { runtime, tell } from "../../command.ts"

export const agreeCommand = Command.make(
  "agree",
  {
    weights: Flag.Literals("weights", ["none", "linear", "quadratic"]).pipe(
      Flag.withDescription("Whether ratings further apart disagree more; for ratings that are whole numbers"),
      Flag.withDefault("none" as const)
    ),
    ratings: Argument.File("ratings").pipe(Argument.withDescription("A CSV or TSV file, a row for each item")),
    raters: Argument.String("raters").pipe(Argument.withDescription("Columns of the raters"), Argument.atLeast(2))
  },
  Effect.fnUntraced(function*({ raters, ratings, weights }) {
    yield* tell(yield* agree(ratings, raters, weights), agreementTable)
  })
).pipe(
  Command.withDescription("Cohen's kappa of raters, such as two people, or a person and a judging model"),
  Command.provide(runtime)
)
