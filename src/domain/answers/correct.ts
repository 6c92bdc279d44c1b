/** Whether an answer is right. */
import { type QuestionRecord, rightAnswers } from "../records/Records.ts"

const articles: ReadonlySet<string> = new Set(["", "a", "an", "the"])

/** Free answers are normalised as in SQuAD: lower case, no punctuation, no articles, single spaces. */
export const normalise = (text: string): string =>
  text.toLowerCase().replaceAll(/[\p{P}$+<=>^`|~]/gu, "").split(/\s+/).filter((word) => !articles.has(word)).join(" ")

/** The compared form of a free answer; an answer that is only an article (vitamin A) is kept. */
const compared = (text: string): string => normalise(text) || text.trim().toLowerCase()

/**
 * Whether a prediction is correct. With options: whether the option at `index` has the same text as a correct one.
 * Without: whether the text equals a correct answer after normalisation.
 */
export const isCorrect = (q: QuestionRecord, prediction: string, index: number): boolean => {
  const right = rightAnswers(q)
  if (q.options.length > 0) return index >= 0 && right.includes(q.options[index]!)
  const said = compared(prediction)
  return right.some((answer) => compared(answer) === said)
}
