/** Make small untrained models. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { folders } from "../../domain/settings/models.ts"
import { init } from "../../programs/init.ts"
import { idOf } from "../../runtime/files/hub/models.ts"
import { runtime, settings, settle, tell } from "../command.ts"

export const initCommand = Command.make(
  "init",
  {
    ...settings,
    imageSize: Flag.Int("image-size").pipe(
      Flag.withDescription(
        "Make the reader one that reads pictures (LLaVA), of so many pixels a side: a multiple of 4"
      ),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*(flags) {
    const config = yield* settle(flags)
    const made = yield* init(config, { pictures: Option.getOrUndefined(flags.imageSize) })
    for (const name of Object.values(folders).map((key) => config[key])) {
      if ((yield* idOf(name)) === undefined) continue
      yield* Effect.logWarning(`${name} is the name of a model of the Hub; for a folder to create, write ./${name}`)
    }
    yield* tell(
      made,
      () => made.map(({ folder, tokens }) => `${folder}: ${tokens} tokens`).join("\n") || "there is no folder to create"
    )
  })
).pipe(
  Command.withDescription("Create small untrained model folders (config and tokenizer) at the configured paths"),
  Command.provide(runtime)
)
