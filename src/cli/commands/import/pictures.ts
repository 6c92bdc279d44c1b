/** Convert pictures in folders, pictures with captions, and dialogues about pictures. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Captions from "../../../datasets/pictures/captions.ts"
import * as Dialogues from "../../../datasets/pictures/dialogues.ts"
import * as ImageFolder from "../../../datasets/pictures/imageFolder.ts"
import { lines, tell } from "../../command.ts"

export const imagefolder = Command.make(
  "imagefolder",
  {
    folder: Argument.Directory("folder").pipe(
      Argument.withDescription("Folder with folders of splits or labels, or with metadata.jsonl or metadata.csv")
    ),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault("imagefolder")),
    question: Flag.String("question").pipe(
      Flag.withDescription("What is asked about a picture in a label's folder"),
      Flag.withDefault("Which of these does this picture show?")
    ),
    picture: Flag.String("picture").pipe(
      Flag.withDescription("What a picture is, as captions say it: \"chest X-ray\""),
      Flag.withDefault("picture")
    )
  },
  Effect.fnUntraced(function*({ folder, out, ...options }) {
    yield* tell(yield* ImageFolder.importFolder(folder, out, options), lines)
  })
).pipe(Command.withDescription("Convert pictures in folders of labels, or with metadata, to passages and questions"))

/** A command that converts a file which names pictures. */
const ofFile = <N extends string, A extends Record<string, unknown>, E, R>(
  name: N,
  { about, file, images }: { readonly about: string; readonly file: string; readonly images: string },
  convert: (file: string, out: string, images?: string) => Effect.Effect<A, E, R>
) =>
  Command.make(
    name,
    {
      file: Argument.File("file").pipe(Argument.withDescription(file)),
      out: Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault(name)),
      images: Flag.Path("images").pipe(Flag.withDescription(images), Flag.optional)
    },
    Effect.fnUntraced(function*({ file, images, out }) {
      yield* tell(yield* convert(file, out, Option.getOrUndefined(images)), lines)
    })
  ).pipe(Command.withDescription(about))

export const llava = ofFile("llava", {
  about: "Convert dialogues about pictures (LLaVA, ShareGPT, LLaMA-Factory, TRL) to questions",
  file: "Dialogues as JSON or JSON lines: conversations or messages, and their pictures' paths",
  images: "Folder that the pictures' paths start from; by default the file's"
}, Dialogues.importFile)

export const captions = ofFile("captions", {
  about: "Convert pictures with captions in a table (ROCO) to passages",
  file: "Table of pictures' names or ids and captions: .txt with tabs, .csv, .tsv, JSON, parquet",
  images: "Folder of the pictures; by default images beside the file, or the file's own"
}, Captions.importFile)
