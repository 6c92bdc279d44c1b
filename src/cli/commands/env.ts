/** Show the runtime environment. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { environment } from "../../programs/environment.ts"
import { lines, runtime, tell } from "../command.ts"

export const envCommand = Command.make(
  "env",
  {},
  Effect.fnUntraced(function*() {
    yield* tell(yield* environment, lines)
  })
).pipe(Command.withDescription("Show the runtime environment"), Command.provide(runtime))
