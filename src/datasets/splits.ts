/** Questions held out, and questions with other wrong options, both drawn by key. */
import * as Key from "../domain/Key.ts"
import { isAnswered, type QuestionRecord, rightAnswers } from "../domain/records/Records.ts"

/** The questions of those groups that a key draws with probability `share`, or of all others. */
export const heldOut = (
  records: ReadonlyArray<QuestionRecord>,
  share: number,
  seed: number,
  held: boolean
): ReadonlyArray<QuestionRecord> =>
  records.filter(({ group }) => Key.uniform(Key.fold(Key.make(seed), "holdout", group), 0) < share === held)

/**
 * Wrong options drawn by key from the right answers of other questions of the same type, then, where those do not
 * suffice, the given ones; the right one stays in its place.
 */
export const withRandomOptions = (
  records: ReadonlyArray<QuestionRecord>,
  seed: number
): ReadonlyArray<QuestionRecord> => {
  const answers = Map.groupBy(records.filter(isAnswered), (q) => q.type)
  return records.map((q) => {
    if (!isAnswered(q)) return q
    const right = new Set(rightAnswers(q))
    const pool = [...new Set(answers.get(q.type)!.map((other) => other.answer))].filter((answer) => !right.has(answer))
    const order = Key.permutation(Key.fold(Key.make(seed), "options", q.id), pool.length)
    const drawn = [...order.subarray(0, q.options.length)].map((i) => pool[i]!)
    const wrong = [...new Set([...drawn, ...q.options.filter((option) => !right.has(option))])]
    /** The one in the right answer's place is spare. */
    const instead = (option: string, i: number) => wrong[i] ?? wrong[q.answerIndex] ?? option
    return { ...q, options: q.options.map((option, i) => i === q.answerIndex ? option : instead(option, i)) }
  })
}
