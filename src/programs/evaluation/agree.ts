/** Program: agreement of raters, whose ratings are columns of a table. */
import * as Effect from "effect/Effect"
import { csvRecords } from "../../datasets/benchmarks/csv.ts"
import { brief } from "../../domain/brief.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { kappa, type Weights } from "../../domain/statistics/agreement.ts"
import { FileError } from "../../runtime/files/disk.ts"

/** Agreement of two raters. */
export interface Agreement {
  readonly raters: readonly [string, string]
  /** Items that both rated. */
  readonly items: number
  /** Share of items that both rated alike; `null` without items. */
  readonly same: number | null
  /** Cohen's kappa; `null` where a disagreement by chance is impossible. */
  readonly kappa: number | null
}

/** The labels that were given; under weights, the whole numbers from the least to the greatest, so that a gap is as wide as it is. */
const labelsOf = (ratings: ReadonlyArray<string>, weights: Weights): ReadonlyArray<string> => {
  const labels = [...new Set(ratings)].toSorted()
  if (weights === "none" || labels.length === 0) return labels
  const [least, most] = [Math.min(...labels.map(Number)), Math.max(...labels.map(Number))]
  return Array.from({ length: most - least + 1 }, (_, i) => String(least + i))
}

/** Labels that weights accept, as they are counted. */
const whole = /^[+-]?\d{1,4}(?:\.0+)?$/
const filled = (value: unknown): string => String(value ?? "").trim()

/** The pairs of ratings of the items that both raters have rated. */
const ratedByBoth = (
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>,
  a: string,
  b: string,
  weights: Weights
) => {
  const of = (value: unknown) => weights === "none" || filled(value) === "" ? filled(value) : String(Number(value))
  return rows.map((row) => [of(row[a]), of(row[b])] as const).filter(([x, y]) => x !== "" && y !== "")
}

const between = (a: string, b: string, both: ReturnType<typeof ratedByBoth>, weights: Weights): Agreement => {
  const [left, right] = [both.map(([x]) => x), both.map(([, y]) => y)]
  return {
    raters: [a, b],
    items: both.length,
    same: both.length === 0 ? null : both.filter(([x, y]) => x === y).length / both.length,
    kappa: both.length === 0 ? null : kappa(left, right, weights, labelsOf([...left, ...right], weights))
  }
}

/**
 * Kappa of every two of these columns of a CSV or TSV file, over the items that both have rated. Weights are distances between whole
 * numbers.
 */
export const agree = Effect.fn("agree")(
  function*(path: string, raters: ReadonlyArray<string>, weights: Weights) {
    const rows = yield* csvRecords(path)
    const columns = Object.keys(rows[0] ?? {})
    const absent = raters.filter((rater) => !columns.includes(rater))
    if (absent.length > 0) {
      const problem = `has no column ${absent.map((name) => brief(name)).join(", ")}; there are ${columns.join(", ")}`
      return yield* new ConfigError({ source: path, problems: [problem] })
    }
    for (const [i, row] of rows.entries()) {
      const bad = raters.map((rater) => filled(row[rater])).find((rating) => rating !== "" && !whole.test(rating))
      if (weights === "none" || bad === undefined) continue
      const reason = `${brief(bad)} is no whole number of up to four digits; weights need ratings on a scale`
      return yield* new FileError({ path, place: `record ${i + 1}`, reason })
    }
    return pairsOf(raters).map(([a, b]) => between(a, b, ratedByBoth(rows, a, b, weights), weights))
  }
)

const pairsOf = (raters: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  raters.flatMap((a, i) => raters.slice(i + 1).map((b) => [a, b] as const))
