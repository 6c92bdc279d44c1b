/** Have a model write questions that passages answer. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { planQuestions, questions } from "../../../programs/synthesize/questions.ts"
import * as Report from "../../../report/synthesis.ts"
import { refuse, tell } from "../../command.ts"
import * as Shared from "../../synthesizing.ts"
import { batching, dryRun, estimated, writerOf, writing } from "../../writing.ts"

export const questionsCommand = Command.make(
  "questions",
  {
    ...Shared.passages,
    output: Flag.Path("out").pipe(Flag.withDescription("JSON lines to write: questions, or triples")),
    ...writing,
    ...batching,
    dryRun,
    samples: Flag.Int("samples").pipe(Flag.withDescription("Questions for each passage"), Flag.withDefault(1)),
    distractors: Flag.Int("distractors").pipe(
      Flag.withDescription("Wrong options of each question; 0 for open questions"),
      Flag.withDefault(0)
    ),
    grounding: Shared.grounding.pipe(Flag.withDefault("exact" as const)),
    form: Shared.form,
    nearDuplicate: Shared.nearDuplicate(2, 0.85),
    outputFormat: Flag.Literals("output-format", ["questions", "triples"]).pipe(
      Flag.withDescription(
        "Questions with the ids of their gold passages, or {query, pos, neg} for training a retriever"
      ),
      Flag.withDefault("questions" as const)
    ),
    maxTokens: Shared.maxTokens,
    prompt: Flag.File("prompt").pipe(
      Flag.withDescription(
        "Prompt with {passage} and {options} (default: prompts/question.md; with --form text and no --distractors "
          + "question-small.md, which has examples)"
      ),
      Flag.optional
    ),
    licence: Shared.licence
  },
  Effect.fnUntraced(function*(flags) {
    const problems = [
      ...Shared.problemsOf(flags),
      ...(flags.distractors < 0 || flags.distractors > 25 ? ["--distractors must be from 0 to 25"] : [])
    ]
    if (problems.length > 0) return yield* refuse("synthesize questions", ...problems)
    const options = {
      ...flags,
      ...(yield* Shared.selection(flags)),
      format: flags.outputFormat,
      prompt: Option.getOrUndefined(flags.prompt),
      licence: Option.getOrUndefined(flags.licence)
    }
    const writer = yield* writerOf(flags, flags.output)
    if (flags.dryRun) return yield* tell(yield* Effect.provide(planQuestions(options), writer), estimated)
    yield* tell(yield* Effect.provide(questions(options), writer), Report.funnel)
  }, Effect.scoped)
).pipe(Command.withDescription("Write questions with answers from passages, filtered and with their provenance"))
