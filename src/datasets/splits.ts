/** Held-out questions and random distractors, both drawn by key; samples at even distances. */
import * as Key from "../domain/Key.ts"
import { isAnswered, type QuestionRecord, rightAnswers } from "../domain/records/Records.ts"

/** The questions whose groups are drawn with probability `share`, or all the others. */
export const heldOut = (
  records: ReadonlyArray<QuestionRecord>,
  share: number,
  seed: number,
  held: boolean
): ReadonlyArray<QuestionRecord> =>
  records.filter(({ group }) => Key.uniform(Key.fold(Key.make(seed), "holdout", group), 0) < share === held)

/** `count` of the records, the first and others at even distances, in their order; all of them if there are no more. */
export const spread = <A>(records: ReadonlyArray<A>, count: number): ReadonlyArray<A> =>
  count >= records.length
    ? records
    : Array.from({ length: count }, (_, k) => records[Math.ceil(k * records.length / count)]!)

/**
 * Replaces the wrong options by correct answers to other questions of the same type, drawn by key, then, if there are
 * too few, by the original ones; the correct option keeps its position.
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
    /** The option drawn for the correct answer's position is left over. */
    const instead = (option: string, i: number) => wrong[i] ?? wrong[q.answerIndex] ?? option
    return { ...q, options: q.options.map((option, i) => i === q.answerIndex ? option : instead(option, i)) }
  })
}
