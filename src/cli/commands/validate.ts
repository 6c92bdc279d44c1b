/** Check settings, data and models. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { validate } from "../../programs/validate.ts"
import { validTable } from "../../report/planTable.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const validateCommand = Command.make(
  "validate",
  settings,
  Effect.fnUntraced(function*(flags) {
    yield* tell(yield* validate(yield* settle(flags)), validTable)
  })
).pipe(Command.withDescription("Check settings, data and models without running anything"), Command.provide(runtime))
