/** Make small untrained models. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { init } from "../../programs/init.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const initCommand = Command.make(
  "init",
  settings,
  Effect.fnUntraced(function*(flags) {
    yield* tell(
      yield* init(yield* settle(flags)),
      (made) =>
        made.map(({ folder, tokens }) => `${folder}: ${tokens} tokens`).join("\n") || "both model folders are there"
    )
  })
).pipe(
  Command.withDescription("Create small untrained model folders (config and tokenizer) at the configured paths"),
  Command.provide(runtime)
)
