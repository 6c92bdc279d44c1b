/** Have a model write training data. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load } from "../../programs/settings.ts"
import { hardNegatives, plan, TASK } from "../../programs/synthesize/hardNegatives.ts"
import { scorer } from "../../programs/writing/writers.ts"
import * as Report from "../../report/synthesis.ts"
import { refuse, runtime, settings, tell } from "../command.ts"
import * as Shared from "../synthesizing.ts"
import { batching, dryRun, estimated, writerOf, writing } from "../writing.ts"
import { closedCommand } from "./synthesize/closed.ts"
import { instructionsCommand } from "./synthesize/instructions.ts"
import { questionsCommand } from "./synthesize/questions.ts"
import { tasksCommand } from "./synthesize/tasks.ts"

const hardNegativesCommand = Command.make(
  "hard-negatives",
  {
    input: Flag.File("in").pipe(
      Flag.withDescription("Training triples {query, pos, neg} in FlagEmbedding's form: JSON lines, JSON or parquet")
    ),
    output: Flag.Path("out").pipe(Flag.withDescription("JSON lines to write: the same records with new negatives")),
    ...writing,
    ...batching,
    dryRun,
    negatives: Flag.Literals("negatives", ["replace", "join"]).pipe(
      Flag.withDescription("Whether a new negative takes the place of the one it was written from, or joins them"),
      Flag.withDefault("replace" as const)
    ),
    samples: Flag.Int("samples").pipe(
      Flag.withDescription("New negatives for each record; its positives and negatives take turns"),
      Flag.withDefault(1)
    ),
    maxTokens: Shared.maxTokens,
    retriever: Flag.File("retriever").pipe(
      Flag.withDescription("Settings of a run: keep what its retriever scores from .4 to .95 of the positive"),
      Flag.optional
    ),
    judge: Flag.Boolean("judge").pipe(
      Flag.withDescription("Have the writer judge its negatives, and drop those that answer the query"),
      Flag.withDefault(false)
    ),
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription("Prompt with {query}, {positive}, {negative}, {task} (default: prompts/hard-negative.md)"),
      Flag.optional
    ),
    judgePrompt: Flag.File("judge-prompt").pipe(
      Flag.withDescription("Prompt with {query} and {document} (default: prompts/judge-relevance.md)"),
      Flag.optional
    ),
    task: Flag.String("task").pipe(
      Flag.withDescription("What is searched for, where a record has no prompt of its own"),
      Flag.withDefault(TASK)
    ),
    licence: Shared.licence,
    skipBadLines: settings.skipBadLines
  },
  Effect.fnUntraced(function*(flags) {
    const problems = [
      ...Shared.problemsOf(flags),
      ...(Option.isSome(flags.judgePrompt) && !flags.judge ? ["--judge-prompt is used only with --judge"] : [])
    ]
    if (problems.length > 0) return yield* refuse("synthesize hard-negatives", ...problems)
    const options = {
      ...flags,
      prompt: Option.getOrUndefined(flags.prompt),
      judgePrompt: Option.getOrUndefined(flags.judgePrompt),
      skipBad: flags.skipBadLines,
      licence: Option.getOrUndefined(flags.licence)
    }
    const writer = yield* writerOf(flags, flags.output)
    if (flags.dryRun) return yield* tell(yield* Effect.provide(plan(options), writer), estimated)
    const scored = Option.isSome(flags.retriever)
      ? yield* scorer(yield* load(flags.retriever.value, {}))
      : undefined
    yield* tell(yield* Effect.provide(hardNegatives(options, scored), writer), Report.funnel)
  }, Effect.scoped)
).pipe(Command.withDescription("Write a hard negative for each training triple, filtered and with its provenance"))

export const synthesizeCommand = Command.make("synthesize").pipe(
  Command.withDescription("Have a model write training data: an endpoint, or a run's reader"),
  Command.withSubcommands([hardNegativesCommand, questionsCommand, instructionsCommand, tasksCommand, closedCommand]),
  Command.provide(runtime)
)
