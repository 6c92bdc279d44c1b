/** The demo. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { pairs } from "../../programs/settings.ts"
import { models, runtime, settings } from "../command.ts"
import { demo } from "../demo.ts"

export const demoCommand = Command.make(
  "demo",
  {
    set: settings.set,
    pretrained: Flag.Boolean("pretrained").pipe(
      Flag.withDescription("Start from all-MiniLM-L6-v2 and SmolLM2-135M-Instruct, fetched unless they are at hand"),
      Flag.withDefault(false)
    ),
    models
  },
  Effect.fnUntraced(function*({ models: folder, pretrained, set }) {
    yield* demo(yield* pairs(set), { pretrained, models: Option.getOrUndefined(folder) })
  })
).pipe(
  Command.withDescription("Train and compare three small systems on the medical world that comes with the project"),
  Command.provide(runtime)
)
