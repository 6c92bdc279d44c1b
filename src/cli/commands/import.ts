/** Convert documents, a published dataset, or a model of another format. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Medquad from "../../datasets/medquad/import.ts"
import { importGguf } from "../../programs/export.ts"
import { lines, runtime, tell } from "../command.ts"
import { format } from "../savedFormat.ts"
import { documents } from "./import/documents.ts"

const medquad = Command.make(
  "medquad",
  {
    folder: Argument.Directory("folder").pipe(Argument.withDescription("Path of a clone of the dataset")),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("medquad"))
  },
  Effect.fnUntraced(function*({ folder, out }) {
    yield* tell(yield* Medquad.importFolder(folder, out), lines)
  })
).pipe(Command.withDescription("Convert MedQuAD's XML files to JSON lines"))

const gguf = Command.make(
  "gguf",
  {
    ...format,
    file: Argument.File("file").pipe(Argument.withDescription("GGUF file of the model")),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder to write to"))
  },
  Effect.fnUntraced(function*({ file, out, ...flags }) {
    yield* tell(yield* importGguf(file, out, flags), lines)
  })
).pipe(Command.withDescription("Convert a model in GGUF to a Hugging Face folder"))

export const importCommand = Command.make("import").pipe(
  Command.withDescription("Convert documents, a published dataset, or a model in GGUF"),
  Command.withSubcommands([documents, medquad, gguf]),
  Command.provide(runtime)
)
