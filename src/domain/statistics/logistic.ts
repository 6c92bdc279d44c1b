/** Multinomial logistic regression with an L2 penalty, whose strength is chosen by cross-validation: a baseline for vectors with labels. */
import * as Key from "../Key.ts"
import { softmax } from "../verdicts/utility.ts"

/** Vectors with their classes. */
export interface Examples {
  /** [examples, size] */
  readonly vectors: Float32Array
  readonly size: number
  /** The class of each, from 0. */
  readonly labels: ReadonlyArray<number>
}

/** Weights [classes, size + 1]; the last of a class is its intercept, which is not penalised. */
export interface Classifier {
  readonly weights: Float64Array
  readonly classes: number
  readonly size: number
}

/** Scores of all classes for the vector that begins at `at`. */
const scoresOf = ({ classes, size, weights }: Classifier, vectors: Float32Array, at: number): Float64Array => {
  const scores = new Float64Array(classes)
  for (let c = 0; c < classes; c++) {
    const from = c * (size + 1)
    let sum = weights[from + size]!
    for (let i = 0; i < size; i++) sum += weights[from + i]! * vectors[at + i]!
    scores[c] = sum
  }
  return scores
}

/** The likeliest class of each vector, [examples, size]. */
export const classify = (own: Classifier, vectors: Float32Array): ReadonlyArray<number> =>
  Array.from({ length: vectors.length / own.size }, (_, n) => {
    const scores = scoresOf(own, vectors, n * own.size)
    return scores.indexOf(Math.max(...scores))
  })

/** Σ -log P(label) over the examples, and its gradient by the weights, if wanted. */
const loss = (own: Classifier, { labels, size, vectors }: Examples, gradient?: Float64Array): number => {
  let total = 0
  labels.forEach((label, n) => {
    const p = softmax(scoresOf(own, vectors, n * size))
    total -= Math.log(Math.max(p[label]!, Number.MIN_VALUE))
    if (!gradient) return
    p.forEach((one, c) => {
      const residual = one - (c === label ? 1 : 0)
      const from = c * (size + 1)
      for (let i = 0; i < size; i++) gradient[from + i]! += residual * vectors[n * size + i]!
      gradient[from + size]! += residual
    })
  })
  return total
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, own, i) => sum + own * b[i]!, 0)

/** A function of weights with its gradient. */
type Objective = (weights: Float64Array) => { readonly value: number; readonly gradient: Float64Array }

const [PAIRS, STEPS] = [10, 300]

/** L-BFGS's direction from its pairs of steps and changes of the gradient (Nocedal & Wright, algorithm 7.4). */
const directionOf = (gradient: Float64Array, pairs: ReadonlyArray<readonly [Float64Array, Float64Array]>) => {
  const q = gradient.slice()
  const scales = pairs.toReversed().map(([s, y]) => {
    const alpha = dot(s, q) / dot(s, y)
    y.forEach((own, i) => q[i]! -= alpha * own)
    return alpha
  })
  const last = pairs.at(-1)
  const scale = last ? dot(last[0], last[1]) / dot(last[1], last[1]) : 1 / Math.max(1, Math.sqrt(dot(q, q)))
  q.forEach((own, i) => q[i] = own * scale)
  pairs.forEach(([s, y], k) => {
    const change = scales[pairs.length - 1 - k]! - dot(y, q) / dot(s, y)
    s.forEach((own, i) => q[i]! += change * own)
  })
  return q.map((own) => -own)
}

/** The minimum of a smooth convex function, from a start; until no part of the gradient exceeds `tolerance`. */
const minimum = (objective: Objective, start: Float64Array, tolerance: number): Float64Array => {
  const pairs: Array<readonly [Float64Array, Float64Array]> = []
  let [weights, now] = [start, objective(start)]
  for (let step = 0; step < STEPS && now.gradient.some((own) => Math.abs(own) > tolerance); step++) {
    const direction = directionOf(now.gradient, pairs)
    const slope = dot(direction, now.gradient)
    let [rate, at] = [1, weights.map((own, i) => own + direction[i]!)]
    let next = objective(at)
    while (next.value > now.value + 1e-4 * rate * slope && rate > 1e-10) {
      rate /= 2
      at = weights.map((own, i) => own + rate * direction[i]!)
      next = objective(at)
    }
    const s = at.map((own, i) => own - weights[i]!)
    const y = next.gradient.map((own, i) => own - now.gradient[i]!)
    if (next.value >= now.value) return weights
    if (dot(s, y) > 1e-12) pairs.push([s, y])
    if (pairs.length > PAIRS) pairs.shift()
    weights = at
    now = next
  }
  return weights
}

/**
 * Minimises Σ -log P(label) + Σ W² / (2 C), where W are all weights but the intercepts, as scikit-learn's `LogisticRegression` with
 * its `C`; `start` is a classifier to begin at.
 */
export const fit = (examples: Examples, classes: number, C: number, start?: Classifier): Classifier => {
  const { labels, size } = examples
  const isIntercept = (i: number) => i % (size + 1) === size
  const objective: Objective = (weights) => {
    const gradient = new Float64Array(weights.length)
    let value = loss({ weights, classes, size }, examples, gradient)
    weights.forEach((own, i) => {
      if (isIntercept(i)) return
      value += own ** 2 / (2 * C)
      gradient[i]! += own / C
    })
    return { value, gradient }
  }
  const first = start?.weights ?? new Float64Array(classes * (size + 1))
  return { weights: minimum(objective, first, 1e-5 * labels.length), classes, size }
}

const some = ({ labels, size, vectors }: Examples, places: ReadonlyArray<number>): Examples => {
  const own = new Float32Array(places.length * size)
  places.forEach((n, i) => own.set(vectors.subarray(n * size, (n + 1) * size), i * size))
  return { vectors: own, size, labels: places.map((n) => labels[n]!) }
}

/** Strengths that are tried, from a strong penalty to a weak one; for vectors of length 1. */
const strengths = [0.1, 1, 10, 100, 1000, 10_000] as const
const FOLDS = 5

/** A classifier whose C has the least loss over five folds, drawn under a seed. */
export const fitted = (examples: Examples, classes: number, seed: number): Classifier & { readonly C: number } => {
  const order = Key.permutation(Key.fold(Key.make(seed), "folds"), examples.labels.length)
  const losses = new Float64Array(strengths.length)
  for (let fold = 0; fold < FOLDS; fold++) {
    const inside = (i: number) => i % FOLDS !== fold
    const learned = some(examples, Array.from(order.filter((_, i) => inside(i))))
    const held = some(examples, Array.from(order.filter((_, i) => !inside(i))))
    let own: Classifier | undefined
    strengths.forEach((C, s) => {
      own = fit(learned, classes, C, own)
      losses[s]! += loss(own, held)
    })
  }
  const C = strengths[losses.indexOf(Math.min(...losses))]!
  return { ...fit(examples, classes, C), C }
}
