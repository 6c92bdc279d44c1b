/** Have a model write better prompts. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { optimisePrompt, planOptimisation } from "../../programs/optimise/optimisePrompt.ts"
import { pool } from "../../programs/optimise/pool.ts"
import * as Report from "../../report/optimisation.ts"
import { refuse, runtime, settings, settle, tell } from "../command.ts"
import { dryRun, writerOf, writing } from "../writing.ts"

const maxTokens = Flag.Int("max-tokens").pipe(
  Flag.withDescription("Greatest length of an answer in tokens, reasoning included"),
  Flag.withDefault(1000)
)

const gepaCommand = Command.make(
  "gepa",
  {
    ...settings,
    ...writing,
    setting: Flag.String("setting").pipe(
      Flag.withMetavar("name"),
      Flag.withDescription("Setting whose prompt is optimised, such as question_prompt; repeat for several together"),
      Flag.atLeast(1)
    ),
    output: Flag.Path("out").pipe(Flag.withDescription("Folder of the best prompts, the log, and all scores so far")),
    size: Flag.Literals("size", ["light", "medium", "heavy"]).pipe(
      Flag.withDescription("100, 200 or 300 questions of each split, and DSPy's budget for as many"),
      Flag.withDefault("light" as const)
    ),
    metricCalls: Flag.Int("max-metric-calls").pipe(
      Flag.withDescription("Evaluations of a prompt on a question, in place of the size's"),
      Flag.optional
    ),
    maxTokens,
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription("Prompt with {instruction}, {examples}, {purpose}, {rules} (default: prompts/reflect.md)"),
      Flag.optional
    ),
    dryRun
  },
  Effect.fnUntraced(function*(flags) {
    const max_metric_calls = Option.getOrUndefined(flags.metricCalls)
    const problems = [
      flags.maxTokens < 1 && "--max-tokens must be at least 1",
      max_metric_calls !== undefined && max_metric_calls < 1 && "--max-metric-calls must be at least 1"
    ].filter((problem) => problem !== false)
    if (problems.length > 0) return yield* refuse("optimize-prompt gepa", ...problems)
    const { maxTokens, output, seed, setting, size } = flags
    const prompt = Option.getOrUndefined(flags.prompt)
    const options = { settings: setting, output, size, max_metric_calls, prompt, maxTokens, seed }
    const config = yield* settle(flags)
    if (flags.dryRun) return yield* tell(yield* planOptimisation(config, options), Report.planned)
    const writer = yield* writerOf(flags, output)
    yield* tell(yield* Effect.provide(optimisePrompt(config, options), writer), Report.optimised)
  }, Effect.scoped)
).pipe(Command.withDescription("Optimise prompts of a run's settings by reflection on how they do (GEPA)"))

const poolCommand = Command.make(
  "pool",
  {
    ...writing,
    count: Flag.Int("count").pipe(Flag.withDescription("Prompts in the pool"), Flag.withDefault(10)),
    output: Flag.Path("out").pipe(Flag.withDescription("JSON file of the prompts")),
    input: Flag.File("in").pipe(
      Flag.withDescription("Training triples that get a prompt of the pool each, drawn by their query"),
      Flag.optional
    ),
    triples: Flag.Path("triples-out").pipe(
      Flag.withDescription("JSON lines to write: the triples with their prompt"),
      Flag.optional
    ),
    maxTokens,
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription("Prompt with {style} (default: prompts/retrieval-prompt.md)"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*(flags) {
    const problems = [
      flags.count < 1 && "--count must be at least 1",
      flags.maxTokens < 1 && "--max-tokens must be at least 1",
      Option.isSome(flags.input) !== Option.isSome(flags.triples) && "--in and --triples-out go together"
    ].filter((problem) => problem !== false)
    if (problems.length > 0) return yield* refuse("optimize-prompt pool", ...problems)
    const { count, maxTokens, output } = flags
    const [input, prompt, triples] = [flags.input, flags.prompt, flags.triples].map(Option.getOrUndefined)
    const options = { count, output, prompt, maxTokens, input, triples }
    yield* tell(yield* Effect.provide(pool(options), yield* writerOf(flags, output)), Report.pool)
  }, Effect.scoped)
).pipe(Command.withDescription("Write a pool of generic retrieval prompts, and give training triples one each (GP-n)"))

export const optimizePromptCommand = Command.make("optimize-prompt").pipe(
  Command.withDescription("Have a model write better prompts: an endpoint, or a run's reader"),
  Command.withSubcommands([gepaCommand, poolCommand]),
  Command.provide(runtime)
)
