/** Agreement between two raters beyond chance. */

/** How far apart two ratings are: any difference alike, by their distance, or by its square. */
export type Weights = "none" | "linear" | "quadratic"

const distance: Readonly<Record<Weights, (a: number, b: number) => number>> = {
  none: (a, b) => a === b ? 0 : 1,
  linear: (a, b) => Math.abs(a - b),
  quadratic: (a, b) => (a - b) ** 2
}

/**
 * Cohen's kappa of two raters' labels of the same items: 1 - observed / expected disagreement, the latter under both raters'
 * own frequencies. With weights, labels are ranked as they are sorted in `labels`. `null` where a chance disagreement is
 * impossible, as when both always give the same label.
 */
export const kappa = (
  a: ReadonlyArray<string>,
  b: ReadonlyArray<string>,
  weights: Weights,
  labels: ReadonlyArray<string>
): number | null => {
  const rank = new Map(labels.map((label, i) => [label, i]))
  const apart = distance[weights]
  const counts = (side: ReadonlyArray<string>) => {
    const found = new Float64Array(labels.length)
    for (const label of side) found[rank.get(label)!]! += 1
    return found
  }
  const [left, right] = [counts(a), counts(b)]
  const observed = a.reduce((sum, label, i) => sum + apart(rank.get(label)!, rank.get(b[i]!)!), 0) / a.length
  const expected = left.reduce((sum, n, i) => sum + right.reduce((own, m, j) => own + n * m * apart(i, j), 0), 0)
    / a.length ** 2
  return expected === 0 ? null : 1 - observed / expected
}
