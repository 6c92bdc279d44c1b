/** What written answers say that stands in none of their passages. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import { usual } from "../../../datasets/vocabulary/vocabulary.ts"
import { analysisFolder } from "../../../domain/fileNames.ts"
import { hallucinations } from "../../../programs/analysis/hallucinations.ts"
import { systemsOf } from "../../../programs/evaluation/compare.ts"
import { pairs } from "../../../programs/settings.ts"
import { hallucinationsTable } from "../../../report/hallucinationsTable.ts"
import { runtime, tell } from "../../command.ts"
import { evaluated } from "../../evaluated.ts"
import { judgeOf, judging } from "../../judging.ts"

const list = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(`${description}; repeat for more`),
    Flag.atLeast(0)
  )

export const hallucinationsCommand = Command.make(
  "hallucinations",
  {
    split: evaluated.split,
    vocabulary: Flag.File("vocabulary").pipe(
      Flag.withDescription("Vocabulary of concepts: MRCONSO.RRF, OBO, a table or JSON lines"),
      Flag.optional
    ),
    type: list("type", "type", "Count concepts of this type alone: a semantic type of MRSTY.RRF, or a value of type"),
    language: list("language", "code", "Of MRCONSO.RRF, names of this language (default: ENG)"),
    exclude: list("exclude", "name", "A name that is not looked for"),
    ...judging,
    set: evaluated.set,
    systems: Argument.String("systems").pipe(
      Argument.withDescription(
        "Folders of runs that have been evaluated, or NAME=FOLDER,FOLDER, or seed-*/ARM, for several seeds"
      ),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ exclude, language, set, split, systems, type, vocabulary, ...flags }) {
    const named = systemsOf(systems)
    const options = {
      ...usual,
      types: type,
      ...(language.length > 0 ? { languages: language } : {}),
      stopWords: [],
      exclude
    }
    yield* tell(
      yield* hallucinations(named, {
        split,
        vocabulary: Option.getOrUndefined(Option.map(vocabulary, (path) => ({ path, options }))),
        judge: yield* judgeOf(flags, join(named[0]!.folders[0] ?? "", analysisFolder(split))),
        overrides: yield* pairs(set)
      }),
      hallucinationsTable
    )
  })
).pipe(
  Command.withDescription(
    "Count what written answers of finished runs say that stands in none of their passages: concepts by a vocabulary, statements "
      + "by a judge"
  ),
  Command.provide(runtime)
)
