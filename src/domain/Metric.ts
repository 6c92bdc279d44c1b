/** What is reported of answers and rankings, with what chance would make of it. */
import * as Key from "./Key.ts"

export interface Interval {
  readonly mean: number
  readonly low: number
  readonly high: number
}

const average = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0) / values.length

/** Sums and counts of the values of each group. */
const totals = (values: ReadonlyArray<number>, groups: ReadonlyArray<string>) => {
  const found = new Map<string, { sum: number; count: number }>()
  values.forEach((value, i) => {
    const group = found.get(groups[i]!) ?? { sum: 0, count: 0 }
    found.set(groups[i]!, { sum: group.sum + value, count: group.count + 1 })
  })
  return [...found.values()]
}

/** Means of `rounds` samples of whole groups with replacement, sorted. */
const resampled = (values: ReadonlyArray<number>, groups: ReadonlyArray<string>, rounds: number, key: Key.Key) => {
  const clusters = totals(values, groups)
  return Float64Array.from({ length: rounds }, (_, round) => {
    const own = Key.fold(key, round)
    let [sum, count] = [0, 0]
    for (let i = 0; i < clusters.length; i++) {
      const cluster = clusters[Key.integer(own, i, clusters.length)]!
      sum += cluster.sum
      count += cluster.count
    }
    return sum / count
  }).toSorted()
}

const ROUNDS = 1000
const bootstrapKey = Key.make(0xb007)

/** The mean and its 95% percentile interval, by a bootstrap over groups (Field & Welsh 2007). */
export const interval = (values: ReadonlyArray<number>, groups: ReadonlyArray<string>): Interval => {
  const means = resampled(values, groups, ROUNDS, bootstrapKey)
  return {
    mean: average(values),
    low: means[Math.floor(0.025 * ROUNDS)]!,
    high: means[Math.ceil(0.975 * ROUNDS) - 1]!
  }
}

export interface Comparison extends Interval {
  /** Two-sided: twice the smaller share of samples on either side of zero. */
  readonly p: number
}

/** The mean of b - a over the same questions, by a paired bootstrap over groups. */
export const compare = (
  a: ReadonlyArray<number>,
  b: ReadonlyArray<number>,
  groups: ReadonlyArray<string>
): Comparison => {
  const differences = b.map((value, i) => value - a[i]!)
  const means = resampled(differences, groups, ROUNDS, bootstrapKey)
  const below = means.filter((m) => m <= 0).length
  const above = means.filter((m) => m >= 0).length
  return {
    ...interval(differences, groups),
    p: Math.min(1, 2 * (Math.min(below, above) + 1) / (ROUNDS + 1))
  }
}

/** Place of the first relevant passage, counted from 1; Infinity where none was found. */
export const firstRelevant = (ranking: ArrayLike<number>, relevant: ReadonlySet<number>): number => {
  const at = Array.from(ranking).findIndex((doc) => relevant.has(doc))
  return at < 0 ? Infinity : at + 1
}

/** Share of the relevant passages among the first `k`. */
export const recallAt = (ranking: ArrayLike<number>, relevant: ReadonlySet<number>, k: number): number =>
  Array.from(ranking).slice(0, k).filter((doc) => relevant.has(doc)).length / relevant.size

/** Normalised discounted cumulative gain of binary relevance, as trec_eval's ndcg_cut. */
export const ndcgAt = (ranking: ArrayLike<number>, relevant: ReadonlySet<number>, k: number): number => {
  const gain = (rank: number) => 1 / Math.log2(rank + 2)
  const ideal = Array.from({ length: Math.min(k, relevant.size) }, (_, rank) => gain(rank))
  const found = Array.from(ranking).slice(0, k).map((doc, rank) => relevant.has(doc) ? gain(rank) : 0)
  return found.reduce((a, b) => a + b, 0) / ideal.reduce((a, b) => a + b, 0)
}
