/** Validates what `answer` is asked on the command line. */
import * as Option from "effect/Option"
import { brief } from "../domain/brief.ts"

/** Problems with the question and options given. */
export const unasked = ({ image, option, question, questions }: {
  readonly image: Option.Option<string>
  readonly option: ReadonlyArray<string>
  readonly question: Option.Option<string>
  readonly questions: Option.Option<string>
}): ReadonlyArray<string> => {
  const text = Option.getOrUndefined(question)
  const twice = option.find((one, i) => option.indexOf(one) < i)
  return [
    text === undefined && Option.isNone(questions) && "a question, or --questions FILE, is needed",
    text !== undefined && text.trim() === "" && "the question is empty",
    text === undefined && option.length > 0 && "--option is one of a question; --questions has its own",
    text === undefined && Option.isSome(image) && "--image is of one question; --questions has its own",
    option.some((one) => one.trim() === "") && "an --option is empty",
    twice !== undefined && `--option ${brief(twice)} is given twice`
  ].filter((problem) => problem !== false)
}
