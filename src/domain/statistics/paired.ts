/** Tests of paired differences: McNemar's, sign flips of whole groups, Holm's correction, and the questions a test needs. */
import * as Key from "../Key.ts"
import type { Observed } from "../Metric.ts"

/** The probability of at most `k` successes among `n` fair trials. */
const binomialTail = (k: number, n: number): number => {
  let [logTerm, sum] = [-n * Math.LN2, 0]
  for (let i = 0; i <= k; i++) {
    sum += Math.exp(logTerm)
    logTerm += Math.log((n - i) / (i + 1))
  }
  return sum
}

/**
 * McNemar's exact test, two-sided: `lost` and `won` are the questions that only one side, or only the other, answers correctly. It
 * takes questions as independent.
 */
export const mcnemar = (lost: number, won: number): number =>
  lost === won ? 1 : Math.min(1, 2 * binomialTail(Math.min(lost, won), lost + won))

/** Sums of the values of each group that has one other than 0. */
const sumsOf = (observed: ReadonlyArray<Observed>): ReadonlyArray<number> => {
  const sums = new Map<string, number>()
  for (const { group, value } of observed) sums.set(group, (sums.get(group) ?? 0) + value)
  return [...sums.values()].filter((sum) => sum !== 0)
}

/** Up to as many groups, all signs are tried. */
const EXACT = 16
const ROUNDS = 10_000
const key = Key.make(0x51675)
/** What counts as at least as large, in spite of rounding. */
const SLACK = 1e-9

/** Of so many sign patterns, those under which the sum is at least as far from 0; `flips` says whose sign is another. */
const countBeyond = (sums: ReadonlyArray<number>, patterns: number, flips: (pattern: number, i: number) => boolean) => {
  const found = Math.abs(sums.reduce((a, b) => a + b, 0)) * (1 - SLACK)
  let beyond = 0
  for (let pattern = 0; pattern < patterns; pattern++) {
    let sum = 0
    for (let i = 0; i < sums.length; i++) sum += flips(pattern, i) ? -sums[i]! : sums[i]!
    if (Math.abs(sum) >= found) beyond++
  }
  return beyond
}

/**
 * The paired permutation test of a mean difference, two-sided: signs of whole groups are flipped (all patterns for up to 16
 * groups with a difference, else 10,000 drawn ones, of which the p-value counts the one that was found).
 */
export const permutation = (differences: ReadonlyArray<Observed>): number => {
  const sums = sumsOf(differences)
  if (sums.length <= EXACT) {
    const patterns = 2 ** sums.length
    return countBeyond(sums, patterns, (pattern, i) => (pattern >> i & 1) === 1) / patterns
  }
  const beyond = countBeyond(sums, ROUNDS, (pattern, i) => Key.uniform(Key.fold(key, pattern), i) < 0.5)
  return (beyond + 1) / (ROUNDS + 1)
}

/** Holm's step-down correction: p-values of a family, each adjusted so that the family's error rate is bounded. */
export const holm = (ps: ReadonlyArray<number>): ReadonlyArray<number> => {
  const order = [...ps.keys()].toSorted((a, b) => ps[a]! - ps[b]!)
  const adjusted = ps.map(() => 0)
  let most = 0
  order.forEach((i, rank) => {
    most = Math.max(most, Math.min(1, (ps.length - rank) * ps[i]!))
    adjusted[i] = most
  })
  return adjusted
}

/** Quantiles of the standard normal distribution at 1 - 0.05 / 2 and at 0.8. */
const [Z_ALPHA, Z_POWER] = [1.959963984540054, 0.8416212335729143]

/**
 * How many questions a two-sided test at 0.05 would need to find the mean difference with a probability of 0.8, if differences
 * keep their variance: n = (z_α √v₀ + z_β √v)² / d², with the second moment v₀ as the variance without a difference (for right
 * and wrong answers, Connor 1987); groups count by their design effect. `null` without a difference.
 */
export const needed = (differences: ReadonlyArray<Observed>): number | null => {
  const n = differences.length
  const d = differences.reduce((sum, { value }) => sum + value, 0) / n
  if (n === 0 || d === 0) return null
  const second = differences.reduce((sum, { value }) => sum + value ** 2, 0) / n
  const variance = second - d ** 2
  const single = (Z_ALPHA * Math.sqrt(second) + Z_POWER * Math.sqrt(variance)) ** 2 / d ** 2
  return Math.ceil(single * designEffect(differences, d, variance))
}

/** The variance of a mean over groups, against that over as many independent values. */
const designEffect = (differences: ReadonlyArray<Observed>, mean: number, variance: number): number => {
  const groups = Map.groupBy(differences, ({ group }) => group)
  if (variance === 0 || groups.size === differences.length) return 1
  const squares = [...groups.values()].reduce(
    (sum, own) => sum + own.reduce((total, { value }) => total + value - mean, 0) ** 2,
    0
  )
  return squares / (differences.length * variance)
}
