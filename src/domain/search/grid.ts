/**
 * Search on a grid, coarse to fine: coarse points are evaluated on few examples and the best of them on more (successive
 * halving), then the neighbours of the best, as long as that gains more than chance would.
 */
import * as Effect from "effect/Effect"
import { coarse, countOf, mostNear, near, type Point, type Variable } from "./space.ts"
import { type Evaluation, make, ranked, standardError, type Trials } from "./trials.ts"

/** How the grid is searched. */
export interface Grid {
  readonly variables: ReadonlyArray<Variable>
  /** Values of the variables before they are searched. */
  readonly start: Point
  /** Variables by number, those of a stage together; a stage keeps the best values of the stages before it. */
  readonly stages: ReadonlyArray<ReadonlyArray<number>>
  /** By level but the last: how many points go on, or below 1 which share of them. */
  readonly keep: ReadonlyArray<number>
  /** How often the distance to neighbours is halved, at most. */
  readonly refinements: number
}

/** Points whose neighbours are tried. */
const AROUND = 2

const keptOf = (keep: number, points: number): number => keep < 1 ? Math.ceil(keep * points) : keep

/** Points that differ from `from` in the stage's variables, in all combinations of their coarse values. */
export const combined = (
  variables: ReadonlyArray<Variable>,
  stage: ReadonlyArray<number>,
  from: Point
): ReadonlyArray<Point> =>
  stage.reduce<ReadonlyArray<Point>>(
    (points, v) => points.flatMap((point) => coarse(variables[v]!).map((value) => point.with(v, value))),
    [from]
  )

/** Points that differ from `from` in one of the stage's variables, by the coarse distance halved `halvings` times. */
const around = (
  variables: ReadonlyArray<Variable>,
  stage: ReadonlyArray<number>,
  from: Point,
  halvings: number
): ReadonlyArray<Point> =>
  stage.flatMap((v) => near(variables[v]!, from[v]!, halvings).map((value) => from.with(v, value)))

/** Points by level that a stage evaluates while the best are found among `count`. */
const halving = (keep: ReadonlyArray<number>, count: number): ReadonlyArray<number> => {
  let left = count
  const counts = keep.map((own) => {
    const kept = keptOf(own, left)
    if (kept >= left) return 0
    const before = left
    left = kept
    return before
  })
  return [...counts, left]
}

/** Number of points that a stage begins with. */
export const sizeOf = (variables: ReadonlyArray<Variable>, stage: ReadonlyArray<number>): number =>
  stage.reduce((n, v) => n * countOf(variables[v]!), 1)

/** Greatest number of evaluations at the last level in one refinement. */
const refining = ({ variables }: Grid, stage: ReadonlyArray<number>): number =>
  AROUND * stage.reduce((n, v) => n + mostNear(variables[v]!), 0)

/** Greatest number of evaluations by level of a stage, from its beginning. */
const ofStage = (grid: Grid, stage: ReadonlyArray<number>): ReadonlyArray<number> => {
  const counts = halving(grid.keep, sizeOf(grid.variables, stage))
  const last = grid.keep.length
  return counts.with(last, counts[last]! + grid.refinements * refining(grid, stage))
}

const sum = (rows: ReadonlyArray<ReadonlyArray<number>>, length: number): ReadonlyArray<number> =>
  Array.from({ length }, (_, i) => rows.reduce((total, row) => total + (row[i] ?? 0), 0))

/** Greatest number of evaluations by level. */
export const most = (grid: Grid): ReadonlyArray<number> =>
  sum(grid.stages.map((stage) => ofStage(grid, stage)), grid.keep.length + 1)

/** Searches; the outcome is a function of the grid and of the scores. */
export const searchGrid = Effect.fnUntraced(function*<E, R>(grid: Grid, evaluation: Evaluation<E, R>) {
  const { keep, refinements, stages, start, variables } = grid
  const trials = make(evaluation)
  const last = keep.length
  const only = (count: number) => Array.from({ length: last + 1 }, (_, level) => level === last ? count : 0)

  /** Evaluates coarse points level by level. */
  const halve = Effect.fnUntraced(function*(points: ReadonlyArray<Point>, later: ReadonlyArray<number>) {
    const counts = halving(keep, points.length)
    let left = points
    for (const [level, count] of counts.entries()) {
      if (count === 0) continue
      const rest = counts.map((own, l) => l > level ? own : 0)
      const found = yield* trials.run(left, level, sum([rest, later], last + 1))
      if (trials.spent() || level === last) return
      left = ranked([...new Set(found)].filter((trial) => trial !== undefined)).slice(
        0,
        keptOf(keep[level]!, left.length)
      ).map(({ point }) => point)
    }
  })
  /** Evaluates the neighbours of the best; returns whether that gained more than chance would. */
  const refine = Effect.fnUntraced(function*(
    stage: ReadonlyArray<number>,
    halvings: number,
    later: ReadonlyArray<number>
  ) {
    const [before, ...others] = trials.best()
    const centres = [before!, ...others].slice(0, AROUND)
    yield* trials.run(centres.flatMap(({ point }) => around(variables, stage, point, halvings)), last, later)
    const [after] = trials.best()
    return after!.score - before!.score > standardError(before!.scores, after!.scores)
  })

  let from = start
  for (const [s, stage] of stages.entries()) {
    const after = sum(stages.slice(s + 1).map((own) => ofStage(grid, own)), last + 1)
    const each = refining(grid, stage)
    yield* halve(combined(variables, stage, from), sum([after, only(refinements * each)], last + 1))
    for (let halvings = 1; halvings <= refinements && !trials.spent(); halvings++) {
      const rest = only((refinements - halvings) * each)
      if (!(yield* refine(stage, halvings, sum([after, rest], last + 1)))) break
    }
    if (trials.spent()) break
    from = trials.best()[0]!.point
  }
  return trials as Trials<E, R>
})
