/**
 * CMA-ES: a search for the minimum of a function of real numbers, by samples of a normal distribution whose covariance adapts
 * (Hansen 2016, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772). Samples are a function of the key.
 */
import * as Key from "../Key.ts"
import { eigen } from "./eigen.ts"

type Vector = ReadonlyArray<number>

/** Where a search begins. */
export interface Start {
  readonly mean: Vector
  /** Standard deviation in every direction at first. */
  readonly sigma: number
  readonly key: Key.Key
}

/** A search that is asked for samples and told their costs, in turn. */
export interface CmaEs {
  /** The next samples. */
  readonly ask: () => ReadonlyArray<Vector>
  /** Moves the distribution by the costs of the samples last asked for. */
  readonly tell: (costs: Vector) => void
  readonly mean: () => Vector
  /** The greatest standard deviation in any direction. */
  readonly spread: () => number
}

/** Number of samples at a time. */
export const populationOf = (n: number): number => 4 + Math.floor(3 * Math.log(n))

/** The tutorial's constants for `n` dimensions (its table 1, without negative weights). */
const constants = (n: number) => {
  const lambda = populationOf(n)
  const raw = Array.from({ length: Math.floor(lambda / 2) }, (_, i) => Math.log((lambda + 1) / 2) - Math.log(i + 1))
  const total = raw.reduce((a, b) => a + b, 0)
  const weights = raw.map((w) => w / total)
  const effective = 1 / weights.reduce((sum, w) => sum + w * w, 0)
  const cSigma = (effective + 2) / (n + effective + 5)
  const c1 = 2 / ((n + 1.3) ** 2 + effective)
  return {
    lambda,
    weights,
    effective,
    cSigma,
    c1,
    damping: 1 + 2 * Math.max(0, Math.sqrt((effective - 1) / (n + 1)) - 1) + cSigma,
    cC: (4 + effective / n) / (n + 4 + 2 * effective / n),
    cMu: Math.min(1 - c1, 2 * (effective - 2 + 1 / effective) / ((n + 2) ** 2 + effective)),
    /** The expected length of a standard normal vector. */
    chi: Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
  }
}

const combine = (a: number, x: Vector, b: number, y: Vector): Vector => x.map((own, i) => a * own + b * y[i]!)
const length = (x: Vector): number => Math.hypot(...x)

/** Begins a search. */
export const cmaEs = ({ key, mean: from, sigma: first }: Start): CmaEs => {
  const n = from.length
  const { c1, cC, cMu, cSigma, chi, damping, effective, lambda, weights } = constants(n)
  let [mean, sigma, generation] = [from, first, 0]
  let [pathC, pathSigma]: [Vector, Vector] = [from.map(() => 0), from.map(() => 0)]
  let covariance: ReadonlyArray<Vector> = from.map((_, i) => from.map((_, j) => i === j ? 1 : 0))
  let axes = eigen(covariance)
  /** Steps from the mean, in units of sigma. */
  let steps: ReadonlyArray<Vector> = []

  const deviations = (): Vector => axes.values.map((value) => Math.sqrt(Math.max(0, value)))
  /** B·diag(d)·z, where the columns of B are the axes. */
  const along = (d: Vector, z: Vector): Vector =>
    from.map((_, i) => axes.vectors.reduce((sum, axis, k) => sum + axis[i]! * d[k]! * z[k]!, 0))
  /** C^(-1/2)·y. */
  const whitened = (y: Vector): Vector => {
    const inner = axes.vectors.map((axis) => axis.reduce((sum, a, i) => sum + a * y[i]!, 0))
    return along(deviations().map((d) => 1 / Math.max(d, 1e-300)), inner)
  }

  const ask = () => {
    const d = deviations()
    steps = Array.from({ length: lambda }, (_, k) => {
      const own = Key.fold(key, generation, k)
      return along(d, from.map((_, i) => Key.normal(own, i)))
    })
    return steps.map((step) => combine(1, mean, sigma, step))
  }
  const tell = (costs: Vector): void => {
    const order = [...costs.keys()].toSorted((i, j) => costs[i]! - costs[j]! || i - j)
    const best = order.slice(0, weights.length).map((k) => steps[k]!)
    const step = from.map((_, i) => best.reduce((sum, own, k) => sum + weights[k]! * own[i]!, 0))
    mean = combine(1, mean, sigma, step)
    pathSigma = combine(1 - cSigma, pathSigma, Math.sqrt(cSigma * (2 - cSigma) * effective), whitened(step))
    generation++
    const expected = Math.sqrt(1 - (1 - cSigma) ** (2 * generation))
    const stalled = length(pathSigma) / expected >= (1.4 + 2 / (n + 1)) * chi
    pathC = combine(1 - cC, pathC, stalled ? 0 : Math.sqrt(cC * (2 - cC) * effective), step)
    const kept = 1 - c1 - cMu + (stalled ? c1 * cC * (2 - cC) : 0)
    covariance = covariance.map((row, i) =>
      row.map((own, j) =>
        kept * own + c1 * pathC[i]! * pathC[j]! + cMu * best.reduce((sum, y, k) => sum + weights[k]! * y[i]! * y[j]!, 0)
      )
    )
    axes = eigen(covariance)
    sigma *= Math.exp(cSigma / damping * (length(pathSigma) / chi - 1))
  }
  return { ask, tell, mean: () => mean, spread: () => sigma * Math.max(...deviations()) }
}
