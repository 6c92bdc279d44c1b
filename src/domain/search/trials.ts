/** The evaluations of a search: none is made twice, and none beyond the budget. */
import * as Effect from "effect/Effect"
import type { Point } from "./space.ts"

/** Scores by development set, then by its examples. */
export type Scores = ReadonlyArray<ReadonlyArray<number>>

/** An evaluation: of a point, on a level's share of the examples. */
export interface Trial {
  readonly point: Point
  /** The same for all points that mean the same. */
  readonly key: string
  readonly level: number
  readonly scores: Scores
  /** The mean over the sets of the means over their examples. */
  readonly score: number
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0) / values.length

/** The mean over the sets of the means over their examples. */
export const scoreOf = (scores: Scores): number => mean(scores.map(mean))

/**
 * The standard error of the difference of two scores on the same examples: what that of a paired bootstrap within each set
 * tends to.
 */
export const standardError = (a: Scores, b: Scores): number => {
  const variances = a.map((own, s) => {
    const differences = own.map((x, i) => b[s]![i]! - x)
    const middle = mean(differences)
    return mean(differences.map((d) => (d - middle) ** 2)) / own.length
  })
  return Math.sqrt(variances.reduce((x, y) => x + y, 0)) / a.length
}

/** How points are evaluated. */
export interface Evaluation<E, R> {
  /** The same for all points that mean the same, such as weights that differ by a factor; `undefined`: none can be made. */
  readonly keyOf: (point: Point) => Effect.Effect<string | undefined, E, R>
  /** The scores of a point; `ahead` has the most evaluations that may follow this one, by level. */
  readonly evaluate: (point: Point, level: number, ahead: ReadonlyArray<number>) => Effect.Effect<Scores, E, R>
  /** Levels; the last one counts. */
  readonly levels: number
  /** Greatest number of evaluations. */
  readonly budget: number
}

/** The evaluations of a search so far. */
export interface Trials<E, R> {
  /** In the order in which they were made. */
  readonly all: ReadonlyArray<Trial>
  /** Whether the budget did not suffice for what was asked. */
  readonly spent: () => boolean
  /**
   * Evaluates points that have not been evaluated at this level, as far as the budget goes, and returns the trial of each
   * point; points that mean the same share one, and those that cannot be made have none. `later` has the most evaluations that may follow, by level.
   */
  readonly run: (
    points: ReadonlyArray<Point>,
    level: number,
    later: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<Trial | undefined>, E, R>
  /** The best first, the earlier of equals; of the highest level that any point has come to. */
  readonly best: () => ReadonlyArray<Trial>
}

/** Trials, the best first; of equals the earlier. */
export const ranked = (trials: ReadonlyArray<Trial>): ReadonlyArray<Trial> =>
  trials.toSorted((a, b) => b.score - a.score)

/** Begins a search. */
export const make = <E, R>({ budget, evaluate, keyOf, levels }: Evaluation<E, R>): Trials<E, R> => {
  const all: Array<Trial> = []
  const known = new Map<string, Trial>()
  let spent = false

  const one = Effect.fnUntraced(function*(point: Point, key: string, level: number, ahead: ReadonlyArray<number>) {
    const scores = yield* evaluate(point, level, ahead)
    const trial: Trial = { point, key, level, scores, score: scoreOf(scores) }
    all.push(trial)
    known.set(`${level} ${key}`, trial)
  })

  const run = Effect.fnUntraced(function*(points: ReadonlyArray<Point>, level: number, later: ReadonlyArray<number>) {
    const keys = yield* Effect.forEach(points, keyOf)
    const fresh = new Map<string, Point>()
    for (const [i, key] of keys.entries()) {
      if (key !== undefined && !known.has(`${level} ${key}`) && !fresh.has(key)) fresh.set(key, points[i]!)
    }
    const affordable = [...fresh].slice(0, Math.max(0, budget - all.length))
    if (affordable.length < fresh.size) spent = true
    for (const [i, [key, point]] of affordable.entries()) {
      const rest = affordable.length - i - 1
      const counts = Array.from({ length: levels }, (_, l) => (spent ? 0 : later[l] ?? 0) + (l === level ? rest : 0))
      yield* one(point, key, level, counts)
    }
    return keys.map((key) => known.get(`${level} ${key}`))
  })

  const best = () => {
    const top = Math.max(...all.map(({ level }) => level))
    return ranked(all.filter(({ level }) => level === top))
  }
  return { all, spent: () => spent, run, best }
}
