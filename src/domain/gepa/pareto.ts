/**
 * Which candidates to go on from: those that are best on some example, however they do on average (GEPA, Agrawal et al. 2025,
 * algorithm 2).
 */

/** Scores of candidates: [candidate][example]. */
export type Scores = ReadonlyArray<ReadonlyArray<number>>

/** The mean of a candidate's scores; 0 of none. */
export const mean = (scores: ReadonlyArray<number>): number =>
  scores.length === 0 ? 0 : scores.reduce((sum, own) => sum + own, 0) / scores.length

/** For each example, the candidates with its highest score. */
export const frontsOf = (scores: Scores): ReadonlyArray<ReadonlySet<number>> =>
  (scores[0] ?? []).map((_, v) => {
    const best = Math.max(...scores.map((own) => own[v]!))
    return new Set(scores.flatMap((own, p) => own[v] === best ? [p] : []))
  })

/** Whether others among `left` stand in every front of a candidate. */
const isDominated = (own: number, left: ReadonlySet<number>, fronts: ReadonlyArray<ReadonlySet<number>>): boolean =>
  fronts.every((front) => !front.has(own) || [...front].some((p) => p !== own && left.has(p)))

/**
 * The fronts without the candidates that others replace in all of theirs: removed one at a time, the lowest mean first,
 * until none is left to remove.
 */
export const undominated = (scores: Scores): ReadonlyArray<ReadonlySet<number>> => {
  const fronts = frontsOf(scores)
  const means = scores.map(mean)
  const inSome = [...new Set(fronts.flatMap((front) => [...front]))]
  const order = inSome.toSorted((a, b) => means[a]! - means[b]! || a - b)
  const left = new Set(order)
  for (let found: number | undefined = -1; found !== undefined;) {
    found = order.find((p) => left.has(p) && isDominated(p, left, fronts))
    if (found !== undefined) left.delete(found)
  }
  return fronts.map((front) => new Set([...front].filter((p) => left.has(p))))
}

/** The candidates to draw a parent from, each as often as it stands in a front, in ascending order. */
export const parents = (scores: Scores): ReadonlyArray<number> =>
  undominated(scores).flatMap((front) => Array.from(front)).toSorted((a, b) => a - b)
