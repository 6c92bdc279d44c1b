/** Options out of a right answer and wrong ones. */
import { normalise } from "../answers/correct.ts"
import * as Key from "../Key.ts"

/** Whether two answers say the same, as free answers are compared. */
export const sameAnswer = (a: string, b: string): boolean => {
  const form = (text: string) => normalise(text) || text.trim().toLowerCase()
  return form(a) === form(b)
}

/** The fields of a question with options, in an order drawn by key. */
export const optionsWith = (answer: string, wrong: ReadonlyArray<string>, key: Key.Key) => {
  const all = [answer, ...wrong]
  const order = [...Key.permutation(key, all.length)]
  return { options: order.map((i) => all[i]!), answer, answerIndex: order.indexOf(0) }
}

/** The first `most` of some wrong answers, of those that differ from the right ones and each other. */
export const wrongOnes = (
  given: ReadonlyArray<string>,
  right: ReadonlyArray<string>,
  most: number
): ReadonlyArray<string> =>
  given.map((text) => text.trim()).filter((text, i, all) =>
    !right.some((own) => sameAnswer(text, own)) && all.findIndex((other) => sameAnswer(text, other)) === i
  ).slice(0, most)
