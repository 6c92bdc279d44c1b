/** Evaluate the retriever and the reader on tasks. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import { benchFolder } from "../../domain/fileNames.ts"
import { bench } from "../../programs/benchmarks/bench.ts"
import { LIKENESS } from "../../programs/benchmarks/leaks.ts"
import { pairs } from "../../programs/settings.ts"
import { benchTable } from "../../report/benchTable.ts"
import { decode } from "../../systems/all.ts"
import { refuse, runtime, settings, type SettingsFlags, settle, tell } from "../command.ts"
import { judgeOf, judging } from "../judging.ts"

/** Settings with another reader; those given by hand come last, and win. */
const withReader = (model: string | undefined, set: ReadonlyArray<string>) => ({
  set: model === undefined ? set : [`reader_name_or_path=${model}`, ...set]
})

/** Settings of a reader alone, which the command line may change. */
const bare = Effect.fnUntraced(function*(model: string, out: string | undefined, flags: Omit<SettingsFlags, "config">) {
  /** A retriever, passages and questions have to be named, and none is opened. */
  const unused = { retriever_name_or_path: model, passages_file: "none", train_file: "none" }
  const settings = { mode: "no_retrieval", reader_name_or_path: model, ...unused, output_dir: out ?? "." }
  const skips = flags.skipBadLines ? { skip_bad_lines: true } : {}
  return yield* decode("--reader", settings, { ...yield* pairs(flags.set), ...skips })
})

export const benchCommand = Command.make(
  "bench",
  {
    ...settings,
    config: Flag.optional(settings.config),
    reader: Flag.String("reader").pipe(
      Flag.withMetavar("model"),
      Flag.withDescription(
        "Model that answers, in place of the settings' one: a folder, an adapter's, a GGUF file or an id of the Hub; needs no --config"
      ),
      Flag.optional
    ),
    ...judging,
    data: Flag.Directory("data").pipe(
      Flag.withDescription("Folder that the paths of the tasks' data are relative to"),
      Flag.withDefault(".")
    ),
    train: Flag.Path("train").pipe(
      Flag.withDescription(
        "Training data, a file or a BEIR folder: queries and documents with its texts are left out; repeat for more"
      ),
      Flag.atLeast(0)
    ),
    likeness: Flag.Finite("likeness").pipe(
      Flag.withMetavar("share"),
      Flag.withDescription(
        "Least share of runs of five words in common (Jaccard) at which a text is a near-duplicate of training data, and left "
          + "out, too; 1 for the same words only"
      ),
      Flag.withDefault(LIKENESS)
    ),
    out: Flag.Path("out").pipe(Flag.withDescription("Folder of results (default: bench in output_dir)"), Flag.optional),
    tasks: Argument.String("tasks").pipe(
      Argument.withDescription(
        "Files of tasks, or shipped ones: stm, stm-dev, medical, clue-plus, or one of their tasks"
      ),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ config, data, likeness, out, reader, tasks, train, ...given }) {
    const { judgeApiKeyEnv, judgeEndpoint, judgeModel, judgeReader, ...flags } = given
    if (!(likeness > 0 && likeness <= 1)) return yield* refuse("bench", "--likeness must be above 0, and 1 at most")
    const model = Option.getOrUndefined(reader)
    const folder = Option.getOrUndefined(out)
    const own = Option.isSome(config)
      ? yield* settle({ ...flags, ...withReader(model, flags.set), config: config.value })
      : model === undefined
      ? yield* refuse("bench", "needs --config, or a --reader")
      : yield* bare(model, folder, flags)
    const results = folder ?? join(own.output_dir, benchFolder)
    const judge = yield* judgeOf({ judgeApiKeyEnv, judgeEndpoint, judgeModel, judgeReader }, results)
    const options = { data, likeness, named: model !== undefined, tasks, train, out: folder, judge }
    yield* tell(yield* bench(own, options), benchTable)
  })
).pipe(
  Command.withDescription(
    "Evaluate the retriever on tasks of retrieval, with results in MTEB's files, and the reader on tasks that it answers, "
      + "with results as lm-evaluation-harness has them"
  ),
  Command.provide(runtime)
)
