/** Answer a question, or a file of them. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { resolve } from "node:path"
import { answerable, answerAll, asked, show, telling } from "../../programs/answer.ts"
import { inference, questionsIn } from "../../programs/prepare.ts"
import { trained } from "../../programs/run.ts"
import { unasked } from "../asking.ts"
import { anamnesis, refuse, runtime, settings, settle, tellEach } from "../command.ts"

export const answerCommand = Command.make(
  "answer",
  {
    ...settings,
    option: Flag.String("option").pipe(
      Flag.withDescription("An answer option of the question; repeat for each"),
      Flag.atLeast(0)
    ),
    image: Flag.Path("image").pipe(
      Flag.withDescription("The picture that the question is about; `<image>` of question_prompt is its place"),
      Flag.optional
    ),
    questions: Flag.Path("questions").pipe(
      Flag.withDescription("Questions, in any form of docs/data.md"),
      Flag.optional
    ),
    question: Argument.String("question").pipe(Argument.withDescription("The question"), Argument.optional)
  },
  Effect.fnUntraced(function*(flags) {
    const problems = unasked(flags)
    if (problems.length > 0) return yield* refuse("answer", ...problems)
    const { config } = yield* trained(yield* settle(flags))
    const system = yield* inference(config)
    const file = Option.isSome(flags.questions) ? yield* questionsIn(flags.questions.value, config) : []
    const picture = Option.getOrUndefined(Option.map(flags.image, (path) => resolve(path)))
    const given = Option.isSome(flags.question) ? [asked("1", flags.question.value, flags.option, picture)] : []
    const { records } = yield* answerable(config, [...given, ...file])
    const { json } = yield* anamnesis
    if (records.length === 1 && !json) {
      const print = (text: string) => Effect.sync(() => void process.stdout.write(text))
      return yield* Stream.runForEach(telling(config, records[0]!), print).pipe(Effect.provide(system))
    }
    yield* tellEach(answerAll(config, records), show).pipe(Effect.provide(system))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Answer a question, or a file of questions, and show the supporting passages"),
  Command.provide(runtime)
)
