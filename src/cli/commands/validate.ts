/** Check settings, data and models. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { validate } from "../../programs/validate.ts"
import { validTable } from "../../report/planTable.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const validateCommand = Command.make(
  "validate",
  {
    ...settings,
    leaks: Flag.Boolean("leaks").pipe(
      Flag.withDescription("Look for questions to be judged in passages and in training (--no-leaks does not)"),
      Flag.withDefault(true)
    )
  },
  Effect.fnUntraced(function*({ leaks, ...flags }) {
    yield* tell(yield* validate(yield* settle(flags), leaks), validTable)
  })
).pipe(Command.withDescription("Check settings, data and models without running anything"), Command.provide(runtime))
