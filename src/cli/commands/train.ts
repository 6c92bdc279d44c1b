/** Train models, or resume a run. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { run } from "../../programs/run.ts"
import { lines, refuse, runtime, settings, settle, tell } from "../command.ts"

export const trainCommand = Command.make(
  "train",
  {
    ...settings,
    resume: Flag.Boolean("resume").pipe(
      Flag.withDescription("Continue from the newest checkpoint in output_dir"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*(flags) {
    const config = yield* settle(flags)
    if (config.max_steps === 0) return yield* refuse("train", "max_steps is 0: there is nothing to train")
    yield* tell(yield* run(config, flags.resume), lines)
  })
).pipe(
  Command.withDescription("Train a model; Ctrl-C saves a checkpoint, --resume continues"),
  Command.provide(runtime)
)
