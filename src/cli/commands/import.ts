/** Convert documents, a published dataset, or a model of another format. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Medmnist from "../../datasets/medmnist/import.ts"
import * as Medquad from "../../datasets/medquad/import.ts"
import { importGguf } from "../../programs/export.ts"
import { lines, runtime, tell } from "../command.ts"
import { format } from "../savedFormat.ts"
import { documents } from "./import/documents.ts"
import { captions, imagefolder, llava } from "./import/pictures.ts"
import { vqa } from "./import/vqa.ts"

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

const medmnist = Command.make(
  "medmnist",
  {
    file: Argument.File("file").pipe(Argument.withDescription("A set's file, such as pneumoniamnist.npz")),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("medmnist")),
    labelled: Flag.Int("labelled").pipe(
      Flag.withDescription("Pictures to train on that become questions"),
      Flag.withDefault(64)
    ),
    memory: Flag.Int("memory").pipe(
      Flag.withDescription("Pictures to train on that become passages; by default all others"),
      Flag.optional
    ),
    held: Flag.Int("held").pipe(
      Flag.withDescription("Pictures to train on that become questions to be judged by, of the split held"),
      Flag.withDefault(0)
    ),
    seed: Flag.Int("seed").pipe(Flag.withDescription("Which pictures these are"), Flag.withDefault(0)),
    labels: Flag.String("labels").pipe(
      Flag.withDescription("Names of the labels from 0 on, with commas between them, of a set that is not MedMNIST's"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ file, held, labelled, labels, memory, out, seed }) {
    const names = Option.map(labels, (text) => text.split(",").map((name) => name.trim()))
    const options = {
      held,
      labelled,
      seed,
      memory: Option.getOrUndefined(memory),
      labels: Option.getOrUndefined(names)
    }
    yield* tell(yield* Medmnist.importFile(file, out, options), lines)
  })
).pipe(Command.withDescription("Convert a set of MedMNIST to passages and questions with pictures"))

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
  Command.withSubcommands([documents, medquad, medmnist, imagefolder, llava, captions, ...vqa, gguf]),
  Command.provide(runtime)
)
