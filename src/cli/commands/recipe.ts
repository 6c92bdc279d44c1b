/** Run the steps of a recipe. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"
import { runRecipe } from "../../programs/recipes/runRecipe.ts"
import { recipeTable } from "../../report/recipeTable.ts"
import { MODELS } from "../../runtime/files/hub/environment.ts"
import { models, refuse, runtime, tell } from "../command.ts"

/** Runs a command line of this program in a process of its own, which gets its messages to the terminal. */
const tool = (folder: string | undefined) =>
  Effect.fnUntraced(function*(words: ReadonlyArray<string>, output: string) {
    const [spawner, fs] = [yield* ChildProcessSpawner, yield* FileSystem.FileSystem]
    const args = [...process.execArgv, process.argv[1]!, ...words, ...(words.includes("--json") ? [] : ["--json"])]
    const child = yield* spawner.spawn(
      ChildProcess.make(process.execPath, args, {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
        env: folder === undefined ? {} : { [MODELS]: folder },
        extendEnv: true
      })
    )
    yield* Stream.run(child.stdout, fs.sink(output))
    return { status: Number(yield* child.exitCode) }
  }, Effect.scoped)

export const recipeCommand = Command.make(
  "recipe",
  {
    recipe: Argument.File("recipe.yaml").pipe(Argument.withDescription("Steps, each a command line")),
    out: Argument.Path("out").pipe(Argument.withDescription("Folder of all results")),
    set: Flag.String("set").pipe(
      Flag.withMetavar("name=value"),
      Flag.withDescription("A value in place of the recipe's own; repeat for more"),
      Flag.atLeast(0)
    ),
    models,
    only: Flag.String("only").pipe(
      Flag.withMetavar("step"),
      Flag.withDescription("Run only this step and what it needs; repeat for more"),
      Flag.atLeast(0)
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Say which steps would be run"),
      Flag.withDefault(false)
    ),
    prune: Flag.Boolean("prune").pipe(
      Flag.withDescription("Remove the folders of steps under other command lines or inputs"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ dryRun, models: local, only, out, prune, recipe, set }) {
    if (set.some((pair) => !/^[^=]+=/.test(pair))) return yield* refuse("--set", "a value is given as name=value")
    if (prune && (only.length > 0 || dryRun)) {
      return yield* refuse(
        "--prune",
        "what is outdated is known only of a whole recipe: leave out --only and --dry-run"
      )
    }
    const values = Object.fromEntries(set.map((pair) => [pair.split("=")[0]!, pair.slice(pair.indexOf("=") + 1)]))
    const folder = Option.getOrUndefined(local)
    yield* tell(
      yield* runRecipe(recipe, { out, values, only, dryRun, prune, models: folder }, tool(folder)),
      recipeTable
    )
  })
).pipe(
  Command.withDescription("Run the steps of a recipe: those whose command line or inputs have changed, in order"),
  Command.provide(runtime)
)
