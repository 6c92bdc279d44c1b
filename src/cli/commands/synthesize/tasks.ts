/** Have a model write tasks for documents. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { planTasks, tasks } from "../../../programs/synthesize/tasks.ts"
import * as Report from "../../../report/synthesis.ts"
import { refuse, tell } from "../../command.ts"
import * as Shared from "../../synthesizing.ts"
import { batching, dryRun, estimated, writerOf, writing } from "../../writing.ts"

export const tasksCommand = Command.make(
  "tasks",
  {
    ...Shared.passages,
    output: Flag.Path("out").pipe(Flag.withDescription("JSON lines to write: documents with tasks, or tasks alone")),
    ...writing,
    ...batching,
    dryRun,
    samples: Flag.Int("samples").pipe(Flag.withDescription("Tasks for each document"), Flag.withDefault(3)),
    kinds: Flag.File("kinds").pipe(
      Flag.withDescription("YAML of kinds of tasks, which take turns (default: prompts/tasks.yaml)"),
      Flag.optional
    ),
    grounding: Shared.grounding.pipe(Flag.withDefault("words" as const)),
    form: Shared.form,
    nearDuplicate: Shared.nearDuplicate(2, 0.85),
    outputFormat: Flag.Literals("output-format", ["documents", "completions"]).pipe(
      Flag.withDescription("{text, tasks} for each document, or {prompt, completion} for each task"),
      Flag.withDefault("documents" as const)
    ),
    maxTokens: Shared.maxTokens,
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription("Prompt with {kind} and {document} (default: prompts/task.md)"),
      Flag.optional
    ),
    licence: Shared.licence
  },
  Effect.fnUntraced(function*(flags) {
    const problems = Shared.problemsOf(flags)
    if (problems.length > 0) return yield* refuse("synthesize tasks", ...problems)
    const options = {
      ...flags,
      ...(yield* Shared.selection(flags)),
      format: flags.outputFormat,
      kinds: Option.getOrUndefined(flags.kinds),
      prompt: Option.getOrUndefined(flags.prompt),
      licence: Option.getOrUndefined(flags.licence)
    }
    const writer = yield* writerOf(flags, flags.output)
    if (flags.dryRun) return yield* tell(yield* Effect.provide(planTasks(options), writer), estimated)
    yield* tell(yield* Effect.provide(tasks(options), writer), Report.funnel)
  }, Effect.scoped)
).pipe(Command.withDescription("Write tasks for documents, for pre-instruction tuning"))
