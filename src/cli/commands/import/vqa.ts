/** Convert data sets of questions about pictures. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { importAsked } from "../../../datasets/vqa/import.ts"
import { languages, type Publication, slake, vqaRad } from "../../../datasets/vqa/published.ts"
import { readEither } from "../../../datasets/vqa/read.ts"
import { lines, refuse, tell } from "../../command.ts"

const share = (name: string, what: string) =>
  Flag.Finite(name).pipe(
    Flag.withMetavar("share"),
    Flag.withDescription(`Share of the pictures ${what}, with --split picture`),
    Flag.optional
  )

const flags = {
  split: Flag.Literals("split", ["official", "picture"]).pipe(
    Flag.withDescription("official: as published; picture: drawn under the seed, and no picture is in two splits"),
    Flag.withDefault("official" as const)
  ),
  test: share("test-share", "to test on (default 0.2)"),
  dev: share("dev-share", "to validate on (default 0.1)"),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Which pictures are in which split, and wrong answers of closed questions"),
    Flag.withDefault(0)
  ),
  closed: Flag.Boolean("closed").pipe(
    Flag.withDescription("Make two questions of each open one to train on, answered yes and no, by rule"),
    Flag.withDefault(false)
  ),
  passages: Flag.Literals("passages", ["picture", "question"]).pipe(
    Flag.withDescription(
      "A passage a picture, with all that training asks about it and the answers, or one a question"
    ),
    Flag.withDefault("picture" as const)
  )
}

const images = Flag.Path("images").pipe(
  Flag.withDescription("Folder of the pictures; by default one beside the data by its usual name"),
  Flag.optional
)

interface Given {
  readonly split: "official" | "picture"
  readonly test: Option.Option<number>
  readonly dev: Option.Option<number>
  readonly seed: number
  readonly closed: boolean
  readonly passages: "picture" | "question"
}

/** What the flags ask for; refused where they contradict each other. */
const optionsOf = Effect.fnUntraced(function*(command: string, { closed, dev, passages, seed, split, test }: Given) {
  const shares = { dev: Option.getOrElse(dev, () => 0.1), test: Option.getOrElse(test, () => 0.2) }
  const problems = [
    split === "official" && (Option.isSome(dev) || Option.isSome(test))
    && "--test-share and --dev-share are for --split picture",
    (Math.min(shares.dev, shares.test) < 0 || shares.dev + shares.test >= 1)
    && "--test-share and --dev-share must be at least 0, and less than 1 together",
    seed < 0 && "--seed must be at least 0"
  ].filter((problem) => problem !== false)
  if (problems.length > 0) return yield* refuse(`import ${command}`, ...problems)
  return { closed, passages, seed, split: split === "official" ? split : shares }
})

/** Reads a data set that is published as `publication`, or as parquet with the pictures in it, and writes it. */
const imported = Effect.fnUntraced(function*(
  publication: Publication | undefined,
  name: string,
  path: string,
  out: string,
  images: Option.Option<string>,
  given: Given
) {
  const options = yield* optionsOf(name, given)
  const data = yield* readEither(path, publication, out, Option.getOrUndefined(images))
  yield* tell(yield* importAsked(data, out, options), lines)
})

const pathOf = (what: string) => Argument.Path("path").pipe(Argument.withDescription(what))
const outOf = (name: string) =>
  Flag.Path("out").pipe(Flag.withDescription("Folder to write to"), Flag.withDefault(name))

const vqaRadCommand = Command.make(
  "vqa-rad",
  {
    path: pathOf("VQA-RAD's JSON as released at OSF, JSON lines of the same, or parquet files"),
    out: outOf("vqa-rad"),
    images,
    ...flags
  },
  ({ images, out, path, ...given }) => imported(vqaRad, "vqa-rad", path, out, images, given)
).pipe(Command.withDescription("Convert VQA-RAD to passages and questions with pictures"))

const slakeCommand = Command.make(
  "slake",
  {
    path: pathOf("Folder with train.json, validate.json and test.json, one of them, or parquet files"),
    out: outOf("slake"),
    images,
    language: Flag.Literals("language", languages).pipe(
      Flag.withDescription("Questions in this language, of JSON files"),
      Flag.withDefault("en" as const)
    ),
    ...flags
  },
  ({ images, language, out, path, ...given }) => imported(slake(language), "slake", path, out, images, given)
).pipe(Command.withDescription("Convert SLAKE to passages and questions with pictures"))

const pathVqaCommand = Command.make(
  "pathvqa",
  {
    path: pathOf("Parquet files with columns image, question and answer: one named by its split, or a folder"),
    out: outOf("pathvqa"),
    ...flags
  },
  ({ out, path, ...given }) => imported(undefined, "pathvqa", path, out, Option.none(), given)
).pipe(Command.withDescription("Convert PathVQA, or any parquet of its shape, to passages and questions with pictures"))

/** One command for each data set. */
export const vqa = [vqaRadCommand, slakeCommand, pathVqaCommand] as const
