/** What a search of a merge came to: a report of all points, and its part of the model card. */
import type { Point } from "../../domain/search/space.ts"
import { ranked, scoreOf, type Trial, type Trials } from "../../domain/search/trials.ts"
import { markdown } from "../../domain/textTable.ts"
import type { DevSet } from "./devSets.ts"
import type { Search } from "./file.ts"

/** Numbers by their paths in the config. */
type Numbers = Readonly<Record<string, number>>

/** A point, at the highest level that it came to. */
interface Row {
  readonly numbers: Numbers
  /** From 0. */
  readonly level: number
  /** By development set. */
  readonly scores: Readonly<Record<string, number>>
  readonly score: number
}

/** What a search came to. */
export interface SearchReport {
  readonly method: Search["method"]
  readonly seed: number
  /** By level, the examples of each development set. */
  readonly levels: ReadonlyArray<Readonly<Record<string, number>>>
  /** The best point's. */
  readonly numbers: Numbers
  readonly score: number
  readonly scores: Readonly<Record<string, number>>
  /** Evaluations, of which a point has one a level. */
  readonly evaluations: number
  /** Whether the budget ended the search. */
  readonly stopped: boolean
  /** The best first; those of a higher level come before others. */
  readonly points: ReadonlyArray<Row>
}

type Named = Pick<DevSet<never, never>, "examples" | "name">

const numbersOf = ({ varied }: Search, point: Point): Numbers =>
  Object.fromEntries(varied.flatMap(({ names }, v) => names.map((name, i) => [name, point[v]![i]!] as const)))

const rowOf = (search: Search, sets: ReadonlyArray<Named>) => ({ level, point, score, scores }: Trial): Row => ({
  numbers: numbersOf(search, point),
  level,
  scores: Object.fromEntries(sets.map(({ name }, s) => [name, scoreOf([scores[s]!])])),
  score
})

/** The highest trial of each point, those of higher levels first. */
const topOf = (trials: ReadonlyArray<Trial>): ReadonlyArray<Trial> => {
  const byKey = new Map<string, Trial>()
  for (const trial of trials) {
    const before = byKey.get(trial.key)
    if (before === undefined || before.level < trial.level) byKey.set(trial.key, trial)
  }
  return ranked([...byKey.values()]).toSorted((a, b) => b.level - a.level)
}

/** Reports a search; `levels` has the numbers of the levels in use. */
export const reportOf = <E, R>(
  search: Search,
  sets: ReadonlyArray<Named>,
  levels: ReadonlyArray<number>,
  trials: Trials<E, R>
): SearchReport => {
  const points = topOf(trials.all).map(rowOf(search, sets))
  const { numbers, score, scores } = points[0]!
  return {
    method: search.method,
    seed: search.seed,
    levels: levels.map((level) => Object.fromEntries(sets.map(({ examples, name }) => [name, examples(level)]))),
    numbers,
    score,
    scores,
    evaluations: trials.all.length,
    stopped: trials.spent(),
    points
  }
}

const figure = (x: number): string => x.toFixed(4)

/** The search as sections of a model card: how, and every point with its scores; the first is the one that was merged. */
export const sectionsOf = (report: SearchReport): ReadonlyArray<readonly [title: string, text: string]> => {
  const { evaluations, levels, method, numbers, points, seed, stopped } = report
  const sets = Object.keys(points[0]!.scores)
  const how = method === "grid" ? "on a grid, coarse to fine" : "by CMA-ES"
  const shares = levels.map((level) => Object.values(level).join(" + ")).join(", then ")
  const end = stopped ? " The budget ended it." : ""
  const sentences = [
    `The numbers were searched ${how} (seed ${seed}), in ${evaluations} evaluations on ${shares} examples of `
    + `${sets.join(", ")}.${end} The first row was merged.`,
    "Scores are means over the examples, on development sets that the numbers were chosen by, so that the best of many is "
    + "a little too good: only a test set that was not searched on tells how good the model is."
  ]
  const paths = Object.keys(numbers)
  const rows = points.map((point) =>
    paths.map((path) => String(point.numbers[path])).concat(
      String(point.level + 1),
      sets.map((name) => figure(point.scores[name]!)),
      figure(point.score)
    )
  )
  return [["Search", `${sentences.join("\n\n")}\n\n${markdown([[...paths, "level", ...sets, "mean"], ...rows])}`]]
}
