/** How much two rankings of the same things agree. */

/** Ranks from 1 by rising value; equal values share the mean of theirs. */
export const ranksOf = (values: ArrayLike<number>): Float64Array => {
  const order = Array.from({ length: values.length }, (_, i) => i).toSorted((a, b) => values[a]! - values[b]!)
  const ranks = new Float64Array(values.length)
  for (let from = 0; from < order.length;) {
    let to = from + 1
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let i = from; i < to; i++) ranks[order[i]!] = (from + 1 + to) / 2
    from = to
  }
  return ranks
}

/**
 * Spearman's rank correlation of paired values, ties at the mean of their ranks: from -1 to 1; `null` where one side has only one
 * value, and so no order.
 */
export const spearman = (a: ArrayLike<number>, b: ArrayLike<number>): number | null => {
  const [x, y] = [ranksOf(a), ranksOf(b)]
  const mean = (a.length + 1) / 2
  let [both, left, right] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    both += (x[i]! - mean) * (y[i]! - mean)
    left += (x[i]! - mean) ** 2
    right += (y[i]! - mean) ** 2
  }
  return left === 0 || right === 0 ? null : both / Math.sqrt(left * right)
}

/** The share of the first things that are among the second; `null` if there are none. */
export const overlap = (first: ReadonlyArray<number>, second: ReadonlyArray<number>): number | null => {
  const found = new Set(second)
  return first.length === 0 ? null : first.filter((one) => found.has(one)).length / first.length
}
