/** Figures of predicted classes against right ones; -1 as a prediction is no class. */
import { ranksOf } from "./ranks.ts"

/** A question's right class, and the one predicted. */
export interface Predicted {
  readonly right: number
  readonly predicted: number
}

/** The mean of a figure over the classes that are right somewhere. */
const overClasses = (all: ReadonlyArray<Predicted>, figure: (label: number) => number): number => {
  const labels = [...new Set(all.map(({ right }) => right))]
  return labels.reduce((sum, label) => sum + figure(label), 0) / labels.length
}

/** Macro F1 over the right classes: the mean of 2PR/(P + R), 0 where it is undefined. */
export const macroF1 = (all: ReadonlyArray<Predicted>): number =>
  overClasses(all, (label) => {
    const both = all.filter(({ predicted, right }) => predicted === label && right === label).length
    const either = all.filter(({ predicted }) => predicted === label).length
      + all.filter(({ right }) => right === label).length
    return 2 * both / either
  })

/** Balanced accuracy: the mean over the right classes of the share of each that is predicted as such. */
export const balancedAccuracy = (all: ReadonlyArray<Predicted>): number =>
  overClasses(all, (label) => {
    const own = all.filter(({ right }) => right === label)
    return own.filter(({ predicted }) => predicted === label).length / own.length
  })

/**
 * The area under the ROC curve: how probably a positive scores above a negative, ties counting half (Hanley & McNeil 1982).
 * `null` if all are of one kind.
 */
export const auc = (scores: ArrayLike<number>, positive: ReadonlyArray<boolean>): number | null => {
  const count = positive.filter(Boolean).length
  const others = positive.length - count
  if (count === 0 || others === 0) return null
  const sum = ranksOf(scores).reduce((total, rank, i) => positive[i] ? total + rank : total, 0)
  return (sum - count * (count + 1) / 2) / (count * others)
}
