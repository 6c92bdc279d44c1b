/** Make closed questions of open ones. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { closedByModel, closedByRule, planClosed } from "../../../programs/synthesize/closed.ts"
import * as Report from "../../../report/synthesis.ts"
import { refuse, settings, tell } from "../../command.ts"
import * as Shared from "../../synthesizing.ts"
import { batching, dryRun, estimated, writerOf, writing } from "../../writing.ts"

export const closedCommand = Command.make(
  "closed",
  {
    input: Flag.Path("in").pipe(Flag.withDescription("Open questions with answers, in any format of docs/data.md")),
    where: Shared.passages.where,
    output: Flag.Path("out").pipe(Flag.withDescription("JSON lines to write: closed questions")),
    by: Flag.Literals("by", ["rule", "model"]).pipe(
      Flag.withDescription("rule: wrong answers are those to other questions of the same type, and no model is asked")
    ),
    ...writing,
    ...batching,
    dryRun,
    kind: Flag.Literals("kind", ["yes-no", "options"]).pipe(
      Flag.withDescription("Two questions that are answered yes and no, or the question with options"),
      Flag.withDefault("yes-no" as const)
    ),
    distractors: Flag.Int("distractors").pipe(
      Flag.withDescription("Wrong options, with --kind options"),
      Flag.withDefault(3)
    ),
    typeField: Flag.String("type-field").pipe(
      Flag.withMetavar("name"),
      Flag.withDescription("Field with a question's type; wrong answers by rule are to questions of the same one"),
      Flag.withDefault("type")
    ),
    anyType: Flag.Boolean("any-type").pipe(
      Flag.withDescription("Take wrong answers by rule from questions of other types, too, where there are too few"),
      Flag.withDefault(false)
    ),
    form: Shared.form,
    maxTokens: Shared.maxTokens,
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription(
        "Prompt with {question} and {answer}, and {count} for options (default: prompts/closed-yes-no.md, "
          + "closed-options.md)"
      ),
      Flag.optional
    ),
    licence: Shared.licence,
    skipBadLines: settings.skipBadLines
  },
  Effect.fnUntraced(function*(flags) {
    const rule = flags.by === "rule"
    const problems = [
      ...Shared.problemsOf(flags),
      ...(flags.distractors < 1 || flags.distractors > 25 ? ["--distractors must be from 1 to 25"] : []),
      ...(rule && (Option.isSome(flags.endpoint) || Option.isSome(flags.reader) || Option.isSome(flags.prompt))
        ? ["--endpoint, --reader and --prompt are for --by model; a rule asks no model"]
        : []),
      ...(rule && flags.dryRun ? ["--dry-run is for --by model; a rule takes moments"] : []),
      ...(flags.seed < 0 ? ["--seed must be at least 0"] : [])
    ]
    if (problems.length > 0) return yield* refuse("synthesize closed", ...problems)
    const options = {
      ...flags,
      where: yield* Shared.whereOf(flags.where),
      skipBad: flags.skipBadLines,
      prompt: Option.getOrUndefined(flags.prompt),
      licence: Option.getOrUndefined(flags.licence)
    }
    if (rule) return yield* tell(yield* closedByRule(options), Report.funnel)
    const writer = yield* writerOf(flags, flags.output)
    if (flags.dryRun) return yield* tell(yield* Effect.provide(planClosed(options), writer), estimated)
    yield* tell(yield* Effect.provide(closedByModel(options), writer), Report.funnel)
  }, Effect.scoped)
).pipe(Command.withDescription("Make closed questions of open ones: yes or no, or multiple choice"))
