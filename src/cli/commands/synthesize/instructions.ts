/** Have a model write instructions with examples, scores and preferences. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { instructions, planInstructions } from "../../../programs/synthesize/instructions/instructions.ts"
import { criteria, defaults, type Scores } from "../../../programs/synthesize/instructions/judge.ts"
import * as Report from "../../../report/synthesis.ts"
import { refuse, tell } from "../../command.ts"
import * as Shared from "../../synthesizing.ts"
import { dryRun, estimated, writerOf, writing } from "../../writing.ts"

const prompt = (name: string, places: string, file: string, small = "") =>
  Flag.File(name).pipe(
    Flag.withDescription(`Prompt with ${places} (default: prompts/${file}.md${small})`),
    Flag.optional
  )

const withSmall = "; with --form text, the -small one beside it, which has examples"

const tuple = "{task_type}, {input_data}, {output_format}, {difficulty_level}"

const flags = {
  lists: Flag.File("lists").pipe(
    Flag.withDescription(
      "YAML of task_types, input_data, output_formats, difficulty_levels and error_types (default: "
        + "prompts/instructions.yaml)"
    ),
    Flag.optional
  ),
  output: Flag.Path("out").pipe(Flag.withDescription("JSON lines to write, in MediFlow's columns")),
  ...writing,
  dryRun,
  count: Flag.Int("count").pipe(Flag.withDescription("Instructions to ask for, a tuple of the lists each")),
  pairs: Flag.Int("pairs").pipe(Flag.withDescription("Examples of each instruction"), Flag.withDefault(4)),
  judge: Flag.Boolean("judge").pipe(
    Flag.withDescription("Have the writer score each example from 1 to 5 by five criteria"),
    Flag.withDefault(false)
  ),
  least: Flag.String("least").pipe(
    Flag.withMetavar("criterion=score"),
    Flag.withDescription(
      `Least score of an example, with --judge; repeat for more (default: ${
        criteria.map((name) => `${name}=${defaults[name]}`).join(", ")
      })`
    ),
    Flag.atLeast(0)
  ),
  preferences: Flag.Path("dpo-out").pipe(
    Flag.withDescription(
      "JSON lines of prompt, chosen and rejected to write, too: outputs with an error of a named type"
    ),
    Flag.optional
  ),
  preferenceLeast: Flag.Finite("dpo-least").pipe(
    Flag.withMetavar("score"),
    Flag.withDescription("Least mean of the scores but for difficulty of an example that is made worse, with --judge"),
    Flag.withDefault(4)
  ),
  form: Shared.form,
  nearDuplicate: Shared.nearDuplicate(5, 0.8),
  maxTokens: Shared.maxTokens,
  instructionPrompt: prompt("instruction-prompt", tuple, "instruction", withSmall),
  pairPrompt: prompt(
    "pair-prompt",
    "{instruction}, {input_data}, {output_format}, {difficulty_level}",
    "instruction-pair",
    withSmall
  ),
  judgePrompt: prompt("judge-prompt", "{instruction}, {input}, {output}", "judge-pair"),
  corruptPrompt: prompt("corrupt-prompt", "{instruction}, {input}, {output}, {error_type}", "corrupt", withSmall),
  licence: Shared.licence
}

/** Scores by `criterion=score`. */
const scoresOf = Effect.fnUntraced(function*(given: ReadonlyArray<string>) {
  const pairs = given.map((pair) => pair.split("=") as ReadonlyArray<string>)
  const wrong = given.filter((_, i) =>
    pairs[i]!.length !== 2 || !criteria.some((name) => name === pairs[i]![0]) || !/^[1-5]$/.test(pairs[i]![1]!)
  )
  if (wrong.length > 0) {
    const forms = `criterion=score: ${criteria.join(", ")}; 1 to 5`
    return yield* refuse("--least", ...wrong.map((pair) => `${pair} is not ${forms}`))
  }
  return { ...defaults, ...Object.fromEntries(pairs.map(([name, score]) => [name!, Number(score)])) } as Scores
})

export const instructionsCommand = Command.make(
  "instructions",
  flags,
  Effect.fnUntraced(function*(flags) {
    const problems = [
      ...Shared.problemsOf(flags),
      ...(flags.count < 1 ? ["--count must be at least 1"] : []),
      ...(flags.pairs < 1 ? ["--pairs must be at least 1"] : []),
      ...(flags.least.length > 0 && !flags.judge ? ["--least is used only with --judge"] : [])
    ]
    if (problems.length > 0) return yield* refuse("synthesize instructions", ...problems)
    const o = Option.getOrUndefined
    const least = yield* scoresOf(flags.least)
    const options = {
      ...flags,
      lists: o(flags.lists),
      judge: flags.judge ? least : undefined,
      preferences: o(flags.preferences),
      prompts: {
        instruction: o(flags.instructionPrompt),
        pair: o(flags.pairPrompt),
        judge: o(flags.judgePrompt),
        corrupt: o(flags.corruptPrompt)
      },
      licence: o(flags.licence)
    }
    const writer = yield* writerOf(flags, flags.output)
    if (flags.dryRun) return yield* tell(yield* Effect.provide(planInstructions(options), writer), estimated)
    yield* tell(yield* Effect.provide(instructions(options), writer), Report.funnels)
  }, Effect.scoped)
).pipe(Command.withDescription("Write instructions with examples, filtered, judged and made worse for preferences"))
