/** Compare what `bench` found. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { compareTasks } from "../../../programs/benchmarks/compared/compareTasks.ts"
import { systemOf } from "../../../programs/benchmarks/compared/read.ts"
import { tasksTable } from "../../../report/tasksTable.ts"
import { replace } from "../../../runtime/files/disk.ts"
import { runtime, tell } from "../../command.ts"

export const compareTasksCommand = Command.make(
  "compare-tasks",
  {
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Tables of all figures, not of main scores alone"),
      Flag.withDefault(false)
    ),
    markdown: Flag.Path("markdown").pipe(
      Flag.withMetavar("file"),
      Flag.withDescription("Write the tables to this file, too"),
      Flag.optional
    ),
    systems: Argument.String("systems").pipe(
      Argument.withDescription(
        "NAME=FOLDER, or FOLDER: what bench wrote of each system; the others are compared with the first"
      ),
      Argument.atLeast(2)
    )
  },
  Effect.fnUntraced(function*({ all, markdown, systems }) {
    const compared = yield* compareTasks(systems.map(systemOf))
    const text = tasksTable(all)
    if (Option.isSome(markdown)) yield* replace(markdown.value, new TextEncoder().encode(`${text(compared)}\n`))
    yield* tell(compared, text)
  })
).pipe(
  Command.withDescription(
    "Compare results of bench task by task, record by record, with intervals and tests: a table of a recipe's steps"
  ),
  Command.provide(runtime)
)
