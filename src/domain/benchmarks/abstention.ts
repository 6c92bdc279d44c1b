/**
 * Abstention (Gisserot-Boukhlef et al. 2024): how well the scores of a ranking tell which queries to give no answer to.
 * Formulas are MTEB's (2.26.24).
 */

/** Measures of a query's confidence, by the scores of what it found: the best, their spread, the lead of the first. */
export const confidences = ["max", "std", "diff1"] as const
/** How sure a query's scores are of its ranking. */
export type Confidence = Readonly<Record<typeof confidences[number], number>>

/** The confidence of falling scores; 0 in all measures where there are none. */
export const confidenceOf = (scores: ReadonlyArray<number>): Confidence => {
  if (scores.length === 0) return { max: 0, std: 0, diff1: 0 }
  const mean = scores.reduce((sum, own) => sum + own, 0) / scores.length
  const variance = scores.reduce((sum, own) => sum + (own - mean) ** 2, 0) / scores.length
  return { max: scores[0]!, std: Math.sqrt(variance), diff1: scores.length > 1 ? scores[0]! - scores[1]! : 0 }
}

/** Shares of the queries that are abstained from: 0, 0.1, ... 0.9. */
const rates = Array.from({ length: 10 }, (_, i) => i * 0.1)

/** To the nearest integer, halves to even ones, as Python rounds. */
const rounded = (value: number): number => {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** Figures by rising confidence; those of the same confidence become their mean. */
const byConfidence = (confidence: ReadonlyArray<number>, figures: ReadonlyArray<number>): ReadonlyArray<number> => {
  const order = [...confidence.keys()].toSorted((a, b) => confidence[a]! - confidence[b]! || a - b)
  const groups = Map.groupBy(order, (i) => confidence[i]!)
  return [...groups.values()].flatMap((group) => {
    const mean = group.reduce((sum, i) => sum + figures[i]!, 0) / group.length
    return group.map(() => mean)
  })
}

/** The mean figure of the queries that are left at each rate, the least confident ones abstained from. */
const curve = (confidence: ReadonlyArray<number>, figures: ReadonlyArray<number>): ReadonlyArray<number> => {
  const sorted = byConfidence(confidence, figures)
  return rates.map((rate) => {
    const left = sorted.slice(Math.min(rounded(rate * sorted.length), sorted.length - 1))
    return left.reduce((sum, own) => sum + own, 0) / left.length
  })
}

/** Area under a curve over the rates, by trapezoids. */
const area = (values: ReadonlyArray<number>): number =>
  values.slice(1).reduce((sum, own, i) => sum + (rates[i + 1]! - rates[i]!) * (own + values[i]!) / 2, 0)

/**
 * Normalised area under the abstention curve: 1 if confidence orders queries as the figure itself does, 0 if abstaining
 * changes nothing, less if it does harm; `undefined` where all figures are the same, or there are none.
 */
export const nauc = (confidence: ReadonlyArray<number>, figures: ReadonlyArray<number>): number | undefined => {
  if (figures.every((own) => own === figures[0])) return undefined
  const oracle = curve(figures, figures)
  const flat = oracle[0]! * (rates.at(-1)! - rates[0]!)
  const most = area(oracle)
  return most === flat ? undefined : (area(curve(confidence, figures)) - flat) / (most - flat)
}
