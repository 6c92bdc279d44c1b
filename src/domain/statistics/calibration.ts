/** Whether probabilities mean what they say: Brier's score, and reliability in bins. */

/** Probabilities of the options of a question, and the index of the right one. */
export interface Forecast {
  readonly probabilities: ReadonlyArray<number>
  readonly right: number
}

/** Negative log-likelihoods, in nats, as probabilities that sum to 1: their softmax. */
export const probabilitiesOf = (nll: ReadonlyArray<number>): ReadonlyArray<number> => {
  const least = Math.min(...nll)
  const weights = nll.map((own) => Math.exp(least - own))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => weight / sum)
}

/** Brier's score of a question (Brier 1950): squared errors summed over its options, from 0 to 2. */
export const brier = ({ probabilities, right }: Forecast): number =>
  probabilities.reduce((sum, p, i) => sum + (p - (i === right ? 1 : 0)) ** 2, 0)

/** Questions whose answer was given with a probability in (low, high]; the lowest bin includes 0. */
export interface Bin {
  readonly low: number
  readonly high: number
  readonly questions: number
  /** Mean probability of the answer given, and the share that is right. */
  readonly confidence: number
  readonly accuracy: number
}

/** The probability of the likeliest option, and whether it is the right one. */
const given = ({ probabilities, right }: Forecast) => {
  const confidence = Math.max(...probabilities)
  return { confidence, correct: probabilities.indexOf(confidence) === right ? 1 : 0 }
}

/** Bins of equal width that hold questions, in rising order. */
export const reliability = (forecasts: ReadonlyArray<Forecast>, bins = 10): ReadonlyArray<Bin> => {
  const binOf = (confidence: number) => Math.max(0, Math.ceil(confidence * bins) - 1)
  const found = Map.groupBy(forecasts.map(given), ({ confidence }) => binOf(confidence))
  return [...found].toSorted(([a], [b]) => a - b).map(([bin, own]) => ({
    low: bin / bins,
    high: (bin + 1) / bins,
    questions: own.length,
    confidence: own.reduce((sum, { confidence }) => sum + confidence, 0) / own.length,
    accuracy: own.reduce((sum, { correct }) => sum + correct, 0) / own.length
  }))
}

/** The expected calibration error (Naeini et al. 2015): |accuracy - confidence| of the bins, weighted by their questions. */
export const expectedCalibrationError = (bins: ReadonlyArray<Bin>): number => {
  const questions = bins.reduce((sum, bin) => sum + bin.questions, 0)
  return bins.reduce((sum, bin) => sum + bin.questions * Math.abs(bin.accuracy - bin.confidence), 0) / questions
}
