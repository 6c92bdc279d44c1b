/** Merge an adapter into its base model. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { merge, mergeGguf } from "../../programs/export.ts"
import { lines, runtime, tell } from "../command.ts"
import { format, gguf } from "../savedFormat.ts"

export const mergeCommand = Command.make(
  "merge",
  {
    ...format,
    gguf,
    adapter: Argument.String("adapter").pipe(
      Argument.withDescription("The adapter, ours or PEFT's: its folder, or its id at the Hub")
    ),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder, or GGUF file, to write to"))
  },
  Effect.fnUntraced(function*({ adapter, gguf: type, out, ...flags }) {
    if (Option.isSome(type)) return yield* tell(yield* mergeGguf(adapter, out, type.value), lines)
    yield* tell(yield* merge(adapter, out, flags), lines)
  })
).pipe(
  Command.withDescription("Merge a LoRA adapter into its base model, as a Hugging Face folder or a GGUF file"),
  Command.provide(runtime)
)
