/** Evaluate a run on a split. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { evaluateRun } from "../../programs/evaluation/evaluateRun.ts"
import { splits } from "../../programs/prepare.ts"
import * as Report from "../../report/tables.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const evaluateCommand = Command.make(
  "evaluate",
  {
    ...settings,
    split: Flag.Literals("split", splits).pipe(
      Flag.withDescription("Which split"),
      Flag.withDefault("test" as const)
    )
  },
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* evaluateRun(yield* settle(flags), flags.split), Report.summary)
  })
).pipe(
  Command.withDescription("Answer the questions of a split; score the answers and the ranking"),
  Command.provide(runtime)
)
