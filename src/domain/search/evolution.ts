/** Search by CMA-ES in a space of simplices and ranges: every sample is a point that is evaluated once. */
import * as Effect from "effect/Effect"
import * as Key from "../Key.ts"
import { cmaEs, populationOf } from "./cmaEs.ts"
import { normalised, type Point, settled, type Variable } from "./space.ts"
import { type Evaluation, make, type Trials } from "./trials.ts"

/** What is searched. */
export interface Evolution {
  readonly variables: ReadonlyArray<Variable>
  /** Where the distribution begins. */
  readonly start: Point
  readonly seed: number
}

/** Standard deviation at first: of weights that sum to 1, and of ranges taken as 0 to 1. */
const SIGMA = 1 / 6
/** Samples that differ by less than this are the same point. */
const RESOLUTION = 1e-4
/** Cost of a point that cannot be made. */
const WORST = Number.MAX_VALUE
/** Generations in a row without a new point, after which there is nothing more to find. */
const IDLE = 10

/** The numbers that a point is searched by: ranges are taken as 0 to 1. */
const genomeOf = (variables: ReadonlyArray<Variable>, point: Point): ReadonlyArray<number> =>
  variables.flatMap((variable, v) =>
    variable.kind === "simplex"
      ? normalised(point[v]!.map(Math.abs))
      : point[v]!.map((x) => (x - variable.from) / (variable.to - variable.from || 1))
  )

/** The point of a sample: weights by their magnitudes, other numbers clamped to their range; both with four digits. */
export const pointOf = (variables: ReadonlyArray<Variable>, genome: ReadonlyArray<number>): Point => {
  let at = 0
  return variables.map((variable) => {
    const size = variable.kind === "simplex" ? variable.size : 1
    const own = genome.slice(at, at += size)
    if (variable.kind === "simplex") return normalised(own.map(Math.abs))
    const share = Math.round(Math.min(1, Math.max(0, own[0]!)) / RESOLUTION) * RESOLUTION
    return [settled(variable.from + share * (variable.to - variable.from))]
  })
}

/** Searches at the last level until the budget is spent, or nothing new is sampled. */
export const searchEvolution = Effect.fnUntraced(function*<E, R>(
  { seed, start, variables }: Evolution,
  evaluation: Evaluation<E, R>
) {
  const trials = make(evaluation)
  const mean = genomeOf(variables, start)
  const search = cmaEs({ mean, sigma: SIGMA, key: Key.fold(Key.make(seed), "cma-es") })
  const { budget, levels } = evaluation
  const population = populationOf(mean.length)
  for (let idle = 0; idle < IDLE && !trials.spent() && search.spread() > RESOLUTION / 2;) {
    const before = trials.all.length
    const points = search.ask().map((genome) => pointOf(variables, genome))
    const left = Math.max(0, budget - before - population)
    const later = Array.from({ length: levels }, (_, level) => level === levels - 1 ? left : 0)
    const found = yield* trials.run(points, levels - 1, later)
    if (trials.spent()) break
    search.tell(found.map((trial) => trial === undefined ? WORST : -trial.score))
    idle = trials.all.length === before ? idle + 1 : 0
    if (trials.all.length >= budget) break
  }
  return trials as Trials<E, R>
})
