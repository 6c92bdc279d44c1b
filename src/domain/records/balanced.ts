/** Epochs in which every answer is as frequent as every other. */
import * as Key from "../Key.ts"
import type { QuestionRecord } from "./Records.ts"

/**
 * An epoch of questions by turns of their answers, in the order in which answers first occur: as many of each as the rarest has,
 * drawn and ordered under the key. `size` questions in a row, where it is a multiple of the number of answers, have all alike.
 */
export const balanced = (records: ReadonlyArray<QuestionRecord>, key: Key.Key): ReadonlyArray<QuestionRecord> => {
  const classes = [...Map.groupBy(records, ({ answer }) => answer)].map(([answer, own]) => {
    const order = Key.permutation(Key.fold(key, "class", answer), own.length)
    return Array.from(order, (i) => own[i]!)
  })
  const least = classes.reduce((few, { length }) => Math.min(few, length), Infinity)
  return classes.length === 0 ? [] : Array.from({ length: least }, (_, i) => classes.map((own) => own[i]!)).flat()
}
