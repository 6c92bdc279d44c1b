/** Ratings of answers by people. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { dirname } from "node:path"
import { exportRatings, readRatings } from "../../../programs/analysis/ratings.ts"
import { systemsOf } from "../../../programs/evaluation/compare.ts"
import { pairs } from "../../../programs/settings.ts"
import { ratingsTable } from "../../../report/ratingsTable.ts"
import { lines, runtime, tell } from "../../command.ts"
import { evaluated } from "../../evaluated.ts"
import { judgeOf, judging } from "../../judging.ts"

const exportCommand = Command.make(
  "export",
  {
    split: evaluated.split,
    questions: Flag.Int("questions").pipe(
      Flag.withMetavar("count"),
      Flag.withDescription("Most questions, taken at even distances (default: all)"),
      Flag.optional
    ),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("The order of the items is drawn under it"),
      Flag.withDefault(0)
    ),
    set: evaluated.set,
    out: Flag.Path("out").pipe(
      Flag.withDescription("The sheet to write; its key and its rubric lie beside it"),
      Flag.withDefault("ratings.csv")
    ),
    systems: Argument.String("systems").pipe(
      Argument.withDescription("Folders of runs that have been evaluated, or NAME=FOLDER"),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ out, questions, seed, set, split, systems }) {
    const overrides = yield* pairs(set)
    const options = { split, out, questions: Option.getOrUndefined(questions), seed, overrides }
    yield* tell(yield* exportRatings(systemsOf(systems), options), lines)
  })
).pipe(Command.withDescription("Write a sheet of answers in random order, which does not tell whose they are"))

const readCommand = Command.make(
  "read",
  {
    key: Flag.File("key").pipe(
      Flag.withDescription("The key that was written with the sheet (default: beside the first file)"),
      Flag.optional
    ),
    ...judging,
    files: Argument.String("files").pipe(
      Argument.withDescription("Sheets with ratings, one a rater; NAME=FILE names the rater; none for a judge alone"),
      Argument.atLeast(0)
    )
  },
  Effect.fnUntraced(function*({ files, key, ...flags }) {
    const [first = Option.getOrElse(key, () => "")] = files
    const judge = yield* judgeOf(flags, dirname(first.slice(first.indexOf("=") + 1)))
    yield* tell(yield* readRatings(files, Option.getOrUndefined(key), judge), ratingsTable)
  })
).pipe(
  Command.withDescription(
    "Agreement of raters, and of a judge if one is named; mean ratings of systems; what sheets lack"
  )
)

export const ratingsCommand = Command.make("ratings").pipe(
  Command.withDescription("Have people rate answers from 1 to 5, and read what they found"),
  Command.withSubcommands([exportCommand, readCommand]),
  Command.provide(runtime)
)
