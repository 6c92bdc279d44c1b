/** Captions as labels: the option that a passage's text names, and what follows from these without a reader. */
import { optionOf } from "../answers/chosenOption.ts"
import { verdictOf } from "./utility.ts"

/** The place of the option that a caption names; -1 if it names none, or several. */
export const labelOf = (caption: string, options: ReadonlyArray<string>): number => optionOf(caption, options, "text")

/** Class scores of a caption: 1 for the option that it names, 0 for the others. */
export const labelScores = (caption: string, options: ReadonlyArray<string>): Float32Array => {
  const scores = new Float32Array(options.length)
  const label = labelOf(caption, options)
  if (label >= 0) scores[label] = 1
  return scores
}

/**
 * The label of greatest weight among passages, each of which counts by its score, or alike where a score is below 0; of equal ones
 * that which stands first among the options. -1 if no passage has a label.
 */
export const voted = (labels: ReadonlyArray<number>, scores: ReadonlyArray<number>): number => {
  if (labels.every((label) => label < 0)) return -1
  const alike = scores.some((score) => score < 0)
  const sums = new Float64Array(Math.max(...labels) + 1).fill(-Infinity)
  labels.forEach((label, i) => {
    if (label >= 0) sums[label] = Math.max(0, sums[label]!) + (alike ? 1 : scores[i]!)
  })
  return verdictOf(sums)
}
