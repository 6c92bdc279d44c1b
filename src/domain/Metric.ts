/** Metrics of answers and rankings, with confidence intervals. */
import * as Key from "./Key.ts"

/** A mean with its 95% interval; fewer than two groups have none. */
export interface Interval {
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
}

/** The mean of the non-null values; `null` if there are none. */
export const mean = (values: ReadonlyArray<number | null>): number | null => {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length
}

/** A question's value and the group it is resampled with. */
export interface Observed {
  readonly group: string
  readonly value: number
}

/** Per-group sums and counts. */
const totals = (observed: ReadonlyArray<Observed>) => {
  const found = new Map<string, { sum: number; count: number }>()
  for (const { group, value } of observed) {
    const total = found.get(group) ?? { sum: 0, count: 0 }
    found.set(group, { sum: total.sum + value, count: total.count + 1 })
  }
  return [...found.values()]
}

/** Sorted means of `rounds` bootstrap samples of whole groups, drawn with replacement. */
const resampled = (clusters: ReturnType<typeof totals>, rounds: number, key: Key.Key) =>
  Float64Array.from({ length: rounds }, (_, round) => {
    const own = Key.fold(key, round)
    let [sum, count] = [0, 0]
    for (let i = 0; i < clusters.length; i++) {
      const cluster = clusters[Key.integer(own, i, clusters.length)]!
      sum += cluster.sum
      count += cluster.count
    }
    return sum / count
  }).toSorted()

const ROUNDS = 1000
const bootstrapKey = Key.make(0xb007)

/** The sorted bootstrap means, if there are at least two groups. */
const bootstrap = (observed: ReadonlyArray<Observed>) => {
  const clusters = totals(observed)
  return clusters.length < 2 ? undefined : resampled(clusters, ROUNDS, bootstrapKey)
}

const intervalOf = (mean: number, means: Float64Array | undefined): Interval => ({
  mean,
  low: means?.[Math.floor(0.025 * ROUNDS)] ?? null,
  high: means?.[Math.ceil(0.975 * ROUNDS) - 1] ?? null
})

/** The mean and its percentile interval, by a bootstrap over groups (Field & Welsh 2007); `null` without values. */
export const interval = (observed: ReadonlyArray<Observed>): Interval | null => {
  const value = mean(observed.map((o) => o.value))
  return value === null ? null : intervalOf(value, bootstrap(observed))
}

/** A statistic of all values with its percentile interval, by a bootstrap over groups; `null` without values. */
export const intervalBy = <A>(
  items: ReadonlyArray<{ readonly group: string; readonly value: A }>,
  statistic: (values: ReadonlyArray<A>) => number
): Interval | null => {
  if (items.length === 0) return null
  const own = statistic(items.map(({ value }) => value))
  const groups = [...Map.groupBy(items, ({ group }) => group).values()]
  if (groups.length < 2) return intervalOf(own, undefined)
  const sampled = Float64Array.from({ length: ROUNDS }, (_, round) => {
    const key = Key.fold(bootstrapKey, round)
    return statistic(groups.flatMap((_, i) => groups[Key.integer(key, i, groups.length)]!.map(({ value }) => value)))
  })
  return intervalOf(own, sampled.toSorted())
}

/** A difference of means with its interval, by a paired bootstrap. */
export interface Comparison extends Interval {
  /** Two-sided: twice the smaller share of bootstrap means on either side of zero. */
  readonly p: number | null
}

/** A question's value under a unique key: its id, with the seed if there are several runs. */
export interface Keyed extends Observed {
  readonly key: string
}

/** Keys that only one side has, or whose group differs between the sides, so that they cannot be paired. */
export interface Unpaired {
  readonly unpaired: ReadonlyArray<string>
}

const byKey = (side: ReadonlyArray<Keyed>) => new Map(side.map((one) => [one.key, one]))

const unpairedOf = (a: ReadonlyMap<string, Keyed>, b: ReadonlyMap<string, Keyed>) =>
  [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key)?.group !== b.get(key)?.group)

/** b - a of the same questions, in any order. */
export const differences = (
  a: ReadonlyArray<Keyed>,
  b: ReadonlyArray<Keyed>
): ReadonlyArray<Observed> | Unpaired => {
  const [left, right] = [byKey(a), byKey(b)]
  const unpaired = unpairedOf(left, right)
  if (unpaired.length > 0) return { unpaired }
  return [...right.values()].map(({ group, key, value }) => ({ group, value: value - left.get(key)!.value }))
}

/** The mean of paired differences, by a bootstrap over groups; `null` without any. */
export const comparison = (differences: ReadonlyArray<Observed>): Comparison | null => {
  const value = mean(differences.map((d) => d.value))
  if (value === null) return null
  const means = bootstrap(differences)
  const beyond = (side: (m: number) => boolean) => means?.filter(side).length ?? 0
  const rarer = Math.min(beyond((m) => m <= 0), beyond((m) => m >= 0))
  return { ...intervalOf(value, means), p: means ? Math.min(1, 2 * (rarer + 1) / (ROUNDS + 1)) : null }
}

/** The mean of b - a over the same questions in any order, by a paired bootstrap over groups. */
export const compare = (a: ReadonlyArray<Keyed>, b: ReadonlyArray<Keyed>): Comparison | Unpaired | null => {
  const found = differences(a, b)
  return "unpaired" in found ? found : comparison(found)
}

/** 1 / rank of the first relevant passage among the first `k`, counted from 1; 0 if there is none. */
export const reciprocalRankAt = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>, k: number): number => {
  const at = ranking.slice(0, k).findIndex((doc) => relevant.has(doc))
  return at < 0 ? 0 : 1 / (at + 1)
}

/** Share of the relevant passages that are among the first `k`. */
export const recallAt = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>, k: number): number =>
  ranking.slice(0, k).filter((doc) => relevant.has(doc)).length / relevant.size

/** Share of the first `k` places that hold relevant passages, as in trec_eval's P: places without a passage count too. */
export const precisionAt = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>, k: number): number =>
  ranking.slice(0, k).filter((doc) => relevant.has(doc)).length / k

/** Precision at the rank of each relevant passage among the first `k`, summed over all of them, as in trec_eval's map_cut. */
export const averagePrecisionAt = (
  ranking: ReadonlyArray<string>,
  relevant: ReadonlySet<string>,
  k: number
): number => {
  let [found, sum] = [0, 0]
  ranking.slice(0, k).forEach((doc, rank) => {
    if (relevant.has(doc)) sum += ++found / (rank + 1)
  })
  return sum / relevant.size
}

/**
 * Normalised discounted cumulative gain, as in trec_eval's ndcg_cut: the gain of a passage is its grade, above 0; those
 * without a grade have none.
 */
export const gradedNdcgAt = (
  ranking: ReadonlyArray<string>,
  grades: ReadonlyMap<string, number>,
  k: number
): number => {
  const dcg = (gains: ReadonlyArray<number>) =>
    gains.slice(0, k).reduce((sum, gain, rank) => sum + Math.max(0, gain) / Math.log2(rank + 2), 0)
  const ideal = [...grades.values()].toSorted((a, b) => b - a)
  return dcg(ranking.slice(0, k).map((doc) => grades.get(doc) ?? 0)) / dcg(ideal)
}

/** The same with binary relevance. */
export const ndcgAt = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>, k: number): number =>
  gradedNdcgAt(ranking, new Map([...relevant].map((doc) => [doc, 1])), k)
