/** Report of runs as a page. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { basename } from "node:path"
import { collect } from "../../../programs/reporting/collect.ts"
import { filesFolder, trecFiles, writeReport } from "../../../programs/reporting/files.ts"
import { pairs } from "../../../programs/settings.ts"
import { lead } from "../../../report/page/lead.ts"
import { pageOf } from "../../../report/page/page.ts"
import { lines, refuse, runtime, settings, tell } from "../../command.ts"

const flags = {
  out: Flag.Path("out").pipe(
    Flag.withDescription("File of the page; tables, charts and rankings lie beside it, in a folder"),
    Flag.withDefault("report.html")
  ),
  base: Flag.String("base").pipe(
    Flag.withMetavar("arm"),
    Flag.withDescription("Arm that others are compared with (default: the first)"),
    Flag.optional
  ),
  split: Flag.String("split").pipe(
    Flag.withDescription("Of a run's evaluations, that of which split"),
    Flag.withDefault("test")
  ),
  maxQuestions: Flag.Int("max-questions").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("Most questions that are shown one by one, with their passages; 0 for none"),
    Flag.withDefault(500)
  ),
  passages: Flag.Int("passages").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("Passages of each question that are shown, 20 at most; more if the reader was given more"),
    Flag.withDefault(5)
  ),
  matches: Flag.Int("matches").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription(
      "Questions, of those shown, whose tokens are matched with those of their passages: the arms' retrievers are loaded for it"
    ),
    Flag.withDefault(0)
  ),
  pictureBytes: Flag.Int("picture-bytes").pipe(
    Flag.withMetavar("bytes"),
    Flag.withDescription("Most bytes of the pictures in the page, each of 128 pixels at most; 0 for none"),
    Flag.withDefault(8 * 2 ** 20)
  ),
  ratings: Flag.File("ratings").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription("Output of anamnesis ratings read --json, to be shown; repeat for more"),
    Flag.atLeast(0)
  ),
  plan: Flag.String("plan").pipe(
    Flag.withMetavar("arm=file"),
    Flag.withDescription("Output of anamnesis plan --json of an arm's settings, for its FLOPs; repeat for more"),
    Flag.atLeast(0)
  ),
  set: settings.set.pipe(
    Flag.withDescription(
      "A setting that wins over the runs' own where texts are read, as passages_file=F; repeat for more"
    )
  )
}

/** `ARM=FILE` arguments as an object. */
const plansOf = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const bad = given.find((pair) => pair.indexOf("=") < 1)
  if (bad !== undefined) return yield* refuse("--plan", `${bad} is not ARM=FILE`)
  return Object.fromEntries(given.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]))
})

export const reportCommand = Command.make(
  "report",
  {
    ...flags,
    runs: Argument.String("runs").pipe(
      Argument.withDescription(
        "Folders of experiments, runs or evaluations; NAME=FOLDER,FOLDER for an arm of several seeds"
      ),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(
    function*({ base, matches, maxQuestions, out, passages, pictureBytes, plan, ratings, runs, set, split }) {
      if (maxQuestions < 0 || matches < 0 || pictureBytes < 0 || passages < 1 || passages > 20) {
        const problem = "--max-questions, --matches and --picture-bytes are 0 or more, --passages is 1 to 20"
        return yield* refuse("report", problem)
      }
      const report = yield* collect(runs, {
        split,
        base: Option.getOrUndefined(base),
        overrides: yield* pairs(set),
        maxQuestions,
        passages,
        matches,
        pictures: pictureBytes,
        ratings,
        plans: yield* plansOf(plan)
      })
      const { files, html } = yield* Effect.promise(() => pageOf(report, basename(filesFolder(out))))
      const folder = yield* writeReport(out, html, [...files, ...trecFiles(report)])
      const { headline, sentences, unknown } = lead(report)
      yield* tell(
        { page: out, files: folder, headline, sentences, unknown },
        () => [headline, ...sentences, lines({ page: out, files: folder })].join("\n")
      )
    }
  )
).pipe(
  Command.withDescription(
    "Write a page on runs: which arm is better and how sure that is, curves, costs, and what each arm made of each question"
  ),
  Command.provide(runtime)
)
