/** Evaluate the retriever on tasks. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { bench } from "../../programs/benchmarks/bench.ts"
import { LIKENESS } from "../../programs/benchmarks/leaks.ts"
import { benchTable } from "../../report/benchTable.ts"
import { refuse, runtime, settings, settle, tell } from "../command.ts"

export const benchCommand = Command.make(
  "bench",
  {
    ...settings,
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
      Argument.withDescription("Files of tasks, or shipped ones: stm, stm-dev, or one of their tasks"),
      Argument.atLeast(1)
    )
  },
  Effect.fnUntraced(function*({ data, likeness, out, tasks, train, ...flags }) {
    if (!(likeness > 0 && likeness <= 1)) return yield* refuse("bench", "--likeness must be above 0, and 1 at most")
    const options = { data, likeness, tasks, train, out: Option.getOrUndefined(out) }
    yield* tell(yield* bench(yield* settle(flags), options), benchTable)
  })
).pipe(
  Command.withDescription("Evaluate the retriever on retrieval tasks, with results in MTEB's files"),
  Command.provide(runtime)
)
