/** Program: searches the numbers of a merge config on development sets, and merges with the best ones. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { join } from "node:path"
import { searchFiles, searchFolder } from "../../domain/fileNames.ts"
import { searchEvolution } from "../../domain/search/evolution.ts"
import { combined, type Grid, searchGrid, sizeOf as gridSize } from "../../domain/search/grid.ts"
import type { Point } from "../../domain/search/space.ts"
import { ConfigError } from "../../domain/settings/configure.ts"
import { replace } from "../../runtime/files/disk.ts"
import * as Lock from "../../runtime/files/lock.ts"
import { readObject, yamlOf } from "../../runtime/files/settings.ts"
import * as Store from "../../runtime/files/store.ts"
import { vacant } from "../../runtime/models/export/folder.ts"
import { decode as decodeConfig } from "../../runtime/models/merging/config.ts"
import * as Merge from "../../runtime/models/merging/merge.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import { present } from "../benchmarks/present.ts"
import { type MergeOptions, referencesOf, sizeOf, write } from "../mergeModels.ts"
import { json } from "../run.ts"
import { askedOf, setsOf } from "./asked.ts"
import { type Common, plannedAt, scoring } from "./candidates.ts"
import { decode, type Search } from "./file.ts"
import { reportOf, type SearchReport, sectionsOf } from "./outcome.ts"

/** Points of a coarse grid, at most: it is planned as a whole before anything is merged. */
const MOST = 10_000

/** The grid of a search, with `keep` of each level but the last. */
const gridOf = ({ refine, start, together, varied }: Search, keep: ReadonlyArray<number>): Grid => ({
  variables: varied.map(({ variable }) => variable),
  start,
  stages: together ? [varied.map((_, v) => v)] : varied.map((_, v) => [v]),
  keep,
  refinements: refine
})

/** What is wrong with the size of a grid. */
const tooLarge = ({ stages, variables }: Grid, budget: number): ReadonlyArray<string> =>
  stages.flatMap((stage) => {
    const points = gridSize(variables, stage)
    if (points > MOST) return [`vary: the grid has ${points} points, and at most ${MOST} are allowed; use cma-es`]
    return points > budget ? [`budget: ${budget} is less than the ${points} points that the grid begins with`] : []
  })

/** Points of which some cannot be merged, such as weights that sum to 0: these are told of; fails if none can be. */
const possible = Effect.fnUntraced(function*(common: Common, points: ReadonlyArray<Point>) {
  const all = yield* Effect.forEach(points, (point) => Effect.result(plannedAt(common, point)))
  const failed = all.filter(Result.isFailure)
  const [first] = failed
  if (first === undefined) return
  if (failed.length === all.length) return yield* first.failure
  yield* Effect.logWarning(
    `${failed.length} of ${all.length} points cannot be merged, and are left out: ${first.failure.problems.join("; ")}`
  )
})

/** The points that a search begins with. */
const firstOf = ({ method, start }: Search, grid: Grid): ReadonlyArray<Point> =>
  method === "grid" ? grid.stages.flatMap((stage) => combined(grid.variables, stage, start)) : [start]

/** All that a search needs, and nothing merged so far; fails with what is wrong with it. */
const prepared = Effect.fnUntraced(function*(path: string, file: string, out: string, options: MergeOptions) {
  const template = yield* readObject(path)
  const search = yield* decode(file, yield* readObject(file), template)
  const maxShardSize = yield* sizeOf(options.maxShardSize)
  yield* vacant(out)
  const work = searchFolder(out)
  const { config, tasks } = yield* askedOf(file, search, work)
  yield* present(search.data, tasks)
  const whole = gridOf(search, search.levels.slice(0, -1).map(({ keep }) => keep!))
  const budget = search.budget ?? Infinity
  const problems = search.method === "grid" ? tooLarge(whole, budget) : []
  if (problems.length > 0) return yield* new ConfigError({ source: file, problems })
  const { config: merge, idle } = yield* decodeConfig(path, template)
  yield* Effect.forEach(idle, (note) => Effect.logWarning(`${path}: ${note}`))
  const references = yield* referencesOf(merge)
  const opened = yield* Merge.openAll({ config: merge, references })
  const own = { source: path, references, draw: Merge.drawing(options.seed), maxShardSize }
  const common: Common = { source: path, template, varied: search.varied, opened, options: own, seed: options.seed }
  yield* possible(common, firstOf(search, whole))
  yield* Effect.forEach(Merge.notesOf(opened), (note) => Effect.logWarning(note))
  const [first] = [...opened.models.values()]
  const sets = yield* setsOf(tasks, search, config, first!.folders.at(-1)!)
  return { budget, common, search, sets, work }
})
type Prepared = Effect.Success<ReturnType<typeof prepared>>

/** The levels that differ from the next one on some development set. */
const distinct = ({ search: { levels }, sets }: Pick<Prepared, "search" | "sets">): ReadonlyArray<number> =>
  levels.map((_, level) => level).filter((level) =>
    level === levels.length - 1
    || sets.some((set) => set.cost(level) !== set.cost(level + 1) || set.examples(level) !== set.examples(level + 1))
  )

/** Reports evaluations as they are made, by the texts that they read; `ended` reports that none follow. */
const progress = Effect.fnUntraced(function*(costs: ReadonlyArray<number>) {
  const [reporter, began] = [yield* Reporter, yield* Clock.currentTimeMillis]
  const cost = (counts: ReadonlyArray<number>) => counts.reduce((sum, count, level) => sum + count * costs[level]!, 0)
  let [done, start, best] = [0, 0, -Infinity]
  const report = Effect.fnUntraced(function*(ahead: ReadonlyArray<number>, score?: number) {
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const figures = { ...(score === undefined ? {} : { score }), ...(best > -Infinity ? { best } : {}) }
    const total = done + cost(ahead)
    yield* reporter.report({ task: "search", done, total, start, seconds, unit: "texts", each: 1, figures, every: 1 })
  })
  const evaluated = (level: number, score: number, kept: boolean, ahead: ReadonlyArray<number>) =>
    Effect.suspend(() => {
      done += costs[level]!
      if (kept) start += costs[level]!
      if (level === costs.length - 1) best = Math.max(best, score)
      return report(ahead, score)
    })
  return { evaluated, ended: Effect.suspend(() => report([])) }
})

const mean = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0) / values.length

/** Runs the search. */
const searched = Effect.fnUntraced(function*(own: Prepared) {
  const { budget, common, search, sets, work } = own
  const levels = distinct(own)
  const store = yield* Store.open(join(work, searchFiles.evaluations))
  const { counts, score } = yield* scoring(common, sets, work, store)
  const { ended, evaluated } = yield* progress(
    levels.map((level) => sets.reduce((sum, set) => sum + set.cost(level), 0))
  )
  const evaluate = Effect.fnUntraced(function*(point: Point, level: number, ahead: ReadonlyArray<number>) {
    const { kept, scores } = yield* score(point, levels[level]!)
    yield* evaluated(level, mean(scores.map(mean)), kept, ahead)
    return scores
  })
  const meanings = new Map<string, string | undefined>()
  const keyOf = Effect.fnUntraced(function*(point: Point) {
    const name = JSON.stringify(point)
    if (!meanings.has(name)) {
      const found = yield* Effect.result(plannedAt(common, point))
      meanings.set(name, Result.isSuccess(found) ? found.success.meaning : undefined)
    }
    return meanings.get(name)
  })
  const evaluation = { keyOf, evaluate, levels: levels.length, budget }
  const variables = search.varied.map(({ variable }) => variable)
  const grid = gridOf(search, levels.slice(0, -1).map((level) => search.levels[level]!.keep!))
  const trials = search.method === "grid"
    ? yield* searchGrid(grid, evaluation)
    : yield* searchEvolution({ variables, start: search.start, seed: search.seed }, evaluation)
  yield* ended
  const report = reportOf(search, sets, levels, trials)
  return { best: trials.best()[0]!.point, report, counts: counts() }
})

/** The outcome of a search. */
export interface SearchResult extends Merge.Saved, Pick<SearchReport, "numbers" | "score" | "scores" | "stopped"> {
  /** Candidates that were merged and scored. */
  readonly evaluated: number
  /** Candidates whose scores were there from before. */
  readonly kept: number
  /** File of all points and scores. */
  readonly report: string
}

/**
 * Searches the numbers of the config `path` as the file `file` says, and merges with the best: a new folder with the config
 * that was found, and a card with the search. Scores are kept beside it, from where an interrupted search goes on.
 */
export const searchMerge = Effect.fn("searchMerge")(
  function*(path: string, file: string, out: string, options: MergeOptions) {
    const own = yield* prepared(path, file, out, options)
    yield* Lock.hold(own.work)
    const { best, counts, report } = yield* searched(own)
    const at = join(own.work, searchFiles.report)
    yield* replace(at, json(report))
    const found = yield* plannedAt(own.common, best)
    const recipe = { text: yamlOf(found.json), seed: options.seed, more: sectionsOf(report) }
    const saved = yield* write(found.prepared, out, recipe)
    const { numbers, score, scores, stopped } = report
    return { ...saved, numbers, score, scores, stopped, ...counts, report: at } satisfies SearchResult as SearchResult
  },
  Effect.scoped
)
