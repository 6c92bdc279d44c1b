/** The demo. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { pairs } from "../../programs/settings.ts"
import { runtime, settings } from "../command.ts"
import { demo } from "../demo.ts"

export const demoCommand = Command.make("demo", { set: settings.set }, ({ set }) => Effect.flatMap(pairs(set), demo))
  .pipe(
    Command.withDescription("Train and compare three small systems on the medical world that comes with the project"),
    Command.provide(runtime)
  )
