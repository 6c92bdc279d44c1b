/** Merge an adapter into its base model. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { merge } from "../../programs/export.ts"
import { lines, runtime, tell } from "../command.ts"
import { format } from "../savedFormat.ts"

export const mergeCommand = Command.make(
  "merge",
  {
    ...format,
    adapter: Argument.String("adapter").pipe(
      Argument.withDescription("The adapter, ours or PEFT's: its folder, or its id at the Hub")
    ),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder to write to"))
  },
  Effect.fnUntraced(function*({ adapter, out, ...flags }) {
    yield* tell(yield* merge(adapter, out, flags), lines)
  })
).pipe(
  Command.withDescription("Merge a LoRA adapter into its base model, as a Hugging Face folder"),
  Command.provide(runtime)
)
