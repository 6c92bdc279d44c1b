/** Whether an answer is right. */
import { type QuestionRecord, rightAnswers } from "../records/Records.ts"

const articles: ReadonlySet<string> = new Set(["", "a", "an", "the"])

/** Free answers are compared as SQuAD does: lower case, no punctuation, no articles, single spaces. */
export const normalise = (text: string): string =>
  text.toLowerCase().replaceAll(/[\p{P}$+<=>^`|~]/gu, "").split(/\s+/).filter((word) => !articles.has(word)).join(" ")

/** What is compared of a free answer; one that is an article alone (vitamin A) is itself. */
const compared = (text: string): string => normalise(text) || text.trim().toLowerCase()

/**
 * Whether a prediction is one of the right answers: among options, whether the one at `index` says what a right one
 * says; else whether the text is a right one but for its normal form.
 */
export const isCorrect = (q: QuestionRecord, prediction: string, index: number): boolean => {
  const right = rightAnswers(q)
  if (q.options.length > 0) return index >= 0 && right.includes(q.options[index]!)
  const said = compared(prediction)
  return right.some((answer) => compared(answer) === said)
}
