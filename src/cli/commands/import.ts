/** Convert a published dataset. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Medquad from "../../datasets/medquad/import.ts"
import { lines, runtime, tell } from "../command.ts"

export const importCommand = Command.make(
  "import",
  {
    format: Argument.Literals("format", ["medquad"]).pipe(Argument.withDescription("Source format")),
    folder: Argument.Directory("folder").pipe(Argument.withDescription("Path of a clone of the dataset")),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("medquad"))
  },
  Effect.fnUntraced(function*({ folder, out }) {
    yield* tell(yield* Medquad.importFolder(folder, out), lines)
  })
).pipe(
  Command.withDescription("Convert a published dataset (MedQuAD's XML files) to JSON lines"),
  Command.provide(runtime)
)
