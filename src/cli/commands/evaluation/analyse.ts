/** Analyse finished runs by readings of single passages. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import { analysisFolder } from "../../../domain/fileNames.ts"
import { analyse } from "../../../programs/analysis/analyse.ts"
import { systemsOf } from "../../../programs/evaluation/compare.ts"
import { pairs } from "../../../programs/settings.ts"
import { analysisTable } from "../../../report/analysisTable.ts"
import { runtime, tell } from "../../command.ts"
import { evaluated } from "../../evaluated.ts"
import { judgeOf, judging } from "../../judging.ts"

export const analyseCommand = Command.make(
  "analyse",
  {
    split: evaluated.split,
    passages: Flag.Int("passages").pipe(
      Flag.withMetavar("count"),
      Flag.withDescription(
        "Passages of each question that are read by themselves (default: as many as the reader is given, at least 4)"
      ),
      Flag.optional
    ),
    chance: Flag.Boolean("chance").pipe(
      Flag.withDescription(
        "Read as many random passages, for what the oracle reaches by chance (--no-chance does not)"
      ),
      Flag.withDefault(true)
    ),
    classifiers: Flag.Boolean("classifiers").pipe(
      Flag.withDescription(
        "Of questions about pictures: learn linear classifiers on the first system's encoder, from its training questions and from the "
          + "memory's captions as labels, to stand beside"
      ),
      Flag.withDefault(false)
    ),
    ...judging,
    set: evaluated.set,
    systems: Argument.String("systems").pipe(
      Argument.withDescription(
        "Folders of runs that have been evaluated, or NAME=FOLDER,FOLDER, or seed-*/ARM, for several seeds; the first gives the questions on "
          + "which all are compared"
      ),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ chance, classifiers, passages, set, split, systems, ...flags }) {
    const named = systemsOf(systems)
    const judge = yield* judgeOf(flags, join(named[0]!.folders[0] ?? "", analysisFolder(split)))
    const options = {
      split,
      passages: Option.getOrUndefined(passages),
      chance,
      classifiers,
      judge,
      overrides: yield* pairs(set)
    }
    yield* tell(yield* analyse(named, options), analysisTable)
  })
).pipe(
  Command.withDescription(
    "Read the questions of finished runs with single passages: how often these disagree, and what the best choice among them "
      + "would reach"
  ),
  Command.provide(runtime)
)
