/** Searches in the space of a merge's numbers: no point twice, coarse to fine, within the budget. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Key from "../../../src/domain/Key.ts"
import { searchEvolution } from "../../../src/domain/search/evolution.ts"
import { combined, type Grid, most, searchGrid, sizeOf } from "../../../src/domain/search/grid.ts"
import { coarse, countOf, near, normalised, type Point, type Variable } from "../../../src/domain/search/space.ts"
import { make, type Scores, standardError } from "../../../src/domain/search/trials.ts"

const weights = (size: number, steps = 4): Variable => ({ kind: "simplex", size, steps })
const densities: Variable = { kind: "number", values: [0.1, 0.3, 0.5, 0.7, 0.9], from: 0, to: 1 }

/** Examples of the levels: their scores are a function of the point with noise that later levels have less of. */
const EXAMPLES = [4, 8, 16]
const noisy = (f: (point: Point) => number, noise: number, seed: number) => (point: Point, level: number): Scores => {
  const key = Key.fold(Key.make(seed), JSON.stringify(point))
  return [Array.from({ length: EXAMPLES[level]! }, (_, i) => f(point) + noise * Key.normal(key, i))]
}

interface Run {
  readonly grid: Grid
  readonly scores: (point: Point, level: number) => Scores
  readonly budget?: number
  readonly keyOf?: (point: Point) => string
}

const run = ({ budget = Infinity, grid, keyOf = JSON.stringify, scores }: Run) => {
  const ahead: Array<ReadonlyArray<number>> = []
  const trials = Effect.runSync(searchGrid(grid, {
    keyOf: (point) => Effect.succeed(keyOf(point)),
    evaluate: (point, level, rest) => {
      ahead.push(rest)
      return Effect.succeed(scores(point, level))
    },
    levels: grid.keep.length + 1,
    budget
  }))
  return { trials, ahead }
}

/** The grid of the design: a third goes on, then four. */
const gridOf = (variables: ReadonlyArray<Variable>, start: Point, more: Partial<Grid> = {}): Grid => ({
  variables,
  start,
  stages: variables.map((_, v) => [v]),
  keep: [1 / 3, 4],
  refinements: 2,
  ...more
})
const quarters: Point = [[0.25, 0.25, 0.25, 0.25]]
const distance = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => Math.hypot(...a.map((x, i) => x - b[i]!))

describe("the space", () => {
  it("has 35 points of four weights in quarters, 15 of three, each once, and sums of 1", () => {
    assert.deepStrictEqual([countOf(weights(4)), countOf(weights(3)), countOf(weights(5, 10))], [35, 15, 1001])
    for (const [size, steps] of [[4, 4], [3, 4], [2, 7], [5, 3]] as const) {
      const points = coarse(weights(size, steps))
      assert.strictEqual(points.length, countOf(weights(size, steps)))
      assert.strictEqual(new Set(points.map((p) => JSON.stringify(p))).size, points.length)
      for (const point of points) assert.closeTo(point.reduce((a, b) => a + b, 0), 1, 1e-9)
    }
  })
  it("has twelve neighbours of four weights, fewer at the border, and two of a number", () => {
    assert.strictEqual(near(weights(4), quarters[0]!, 1).length, 12)
    assert.deepStrictEqual(near(weights(3), [1, 0, 0], 1), [[0.875, 0.125, 0], [0.875, 0, 0.125]])
    assert.deepStrictEqual(near(densities, [0.3], 1), [[0.2], [0.4]])
    assert.deepStrictEqual(near(densities, [0], 1), [[0.1]])
  })
  it("names equal shares by equal numbers, whatever their scale", () => {
    const raw = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 })
    fc.assert(fc.property(raw, fc.integer({ min: -20, max: 20 }), (own, power) => {
      const found = normalised(own)
      assert.deepStrictEqual(normalised(own.map((x) => x * 2 ** power)), found)
      assert.strictEqual(Math.round(10_000 * found.reduce((a, b) => a + b, 0)), 10_000)
      found.forEach((x, i) => assert.closeTo(x, own[i]! / own.reduce((a, b) => a + b, 0), 1.01e-4))
    }))
  })
})

describe("the grid", () => {
  it("evaluates 35 points on few examples, 12 on more, 4 on all, then neighbours of the best", () => {
    const target = [0.125, 0.5, 0.375, 0]
    const { trials } = run({
      grid: gridOf([weights(4)], quarters),
      scores: noisy((p) => -distance(p[0]!, target), 0, 1)
    })
    const counts = [0, 1, 2].map((level) => trials.all.filter((trial) => trial.level === level).length)
    assert.deepStrictEqual(counts.slice(0, 2), [35, 12])
    assert.isAbove(counts[2]!, 4)
    assert.deepStrictEqual(trials.best()[0]!.point, [target])
  })
  it("stops refining where a gain is within the error", () => {
    const { trials } = run({ grid: gridOf([weights(3)], [[1, 0, 0]]), scores: noisy(() => 0.5, 0, 1) })
    assert.isAbove(trials.all.filter(({ level }) => level === 2).length, 4)
    const finest = trials.all.flatMap(({ point }) => point[0]!).some((x) => (x * 16) % 2 === 1)
    assert.isFalse(finest)
  })
  it("searches a number at the best weights before it, and all together if asked to", () => {
    const best = (p: Point) => -distance(p[0]!, [0.75, 0.25]) - Math.abs(p[1]![0]! - 0.4)
    const [variables, start] = [[weights(2), densities], [[0.5, 0.5], [0.5]]]
    const grid = gridOf(variables, start, { keep: [] })
    const one = run({ grid, scores: (p) => [[best(p)]] }).trials
    assert.deepStrictEqual(one.best()[0]!.point, [[0.75, 0.25], [0.4]])
    const together = gridOf(variables, start, { keep: [], stages: [[0, 1]] })
    const all = run({ grid: together, scores: (p) => [[best(p)]] }).trials
    assert.deepStrictEqual(all.best()[0]!.point, [[0.75, 0.25], [0.4]])
    assert.deepStrictEqual([sizeOf(variables, [0, 1]), combined(variables, [0, 1], start).length], [25, 25])
    assert.isBelow(one.all.length, all.all.length)
  })
  it("never evaluates a point twice, stays within its budget and within what it announces", () => {
    const simplex = fc.record({
      kind: fc.constant("simplex" as const),
      size: fc.integer({ min: 2, max: 4 }),
      steps: fc.integer({ min: 1, max: 4 })
    })
    const tenths = fc.uniqueArray(fc.integer({ min: 0, max: 10 }), { minLength: 1, maxLength: 4 })
    const number = fc.record({
      kind: fc.constant("number" as const),
      values: tenths.map((own) => own.toSorted((a, b) => a - b).map((x) => x / 10)),
      from: fc.constant(0),
      to: fc.constant(1)
    })
    const variable: fc.Arbitrary<Variable> = fc.oneof(simplex, number)
    const cases = fc.record({
      variables: fc.array(variable, { minLength: 1, maxLength: 2 }),
      together: fc.boolean(),
      keep: fc.constantFrom<ReadonlyArray<number>>([], [0.5], [1 / 3, 4]),
      budget: fc.integer({ min: 1, max: 200 }),
      seed: fc.nat(1000)
    })
    fc.assert(
      fc.property(cases, ({ budget, keep, seed, together, variables }) => {
        const start = variables.map((own) => coarse(own)[0]!)
        const stages = together ? [variables.map((_, v) => v)] : variables.map((_, v) => [v])
        const grid: Grid = { variables, start, stages, keep, refinements: 2 }
        const { ahead, trials } = run({ grid, budget, scores: noisy((p) => p.flat().at(-1)!, 0.3, seed) })
        /** Weights up to their scale. */
        const own = trials.all.map(({ level, point }) => {
          const shares = point.map((value, v) => {
            const total = value.reduce((a, b) => a + b, 0)
            return variables[v]!.kind === "simplex" ? value.map((x) => (x / total).toFixed(9)) : value
          })
          return JSON.stringify([level, shares])
        })
        assert.strictEqual(new Set(own).size, own.length)
        assert.isAtMost(trials.all.length, budget)
        ahead.forEach((counts, i) => {
          const left = trials.all.slice(i + 1)
          if (trials.spent()) return
          counts.forEach((count, level) => assert.isAtMost(left.filter((t) => t.level === level).length, count))
        })
        const announced = most(grid)
        announced.forEach((count, level) =>
          assert.isAtMost(trials.all.filter((trial) => trial.level === level).length, count)
        )
      }),
      { numRuns: 60 }
    )
  })
  it("takes points of one meaning for one", () => {
    const seen: Array<string> = []
    const numbers = (values: ReadonlyArray<number>): Variable => ({ kind: "number", values, from: 0, to: 10 })
    const keyOf = (point: Point) => (point[0]![0]! / (point[0]![0]! + point[1]![0]!)).toFixed(9)
    const grid = gridOf([numbers([1, 2, 4]), numbers([1, 2, 4])], [[1], [1]], {
      stages: [[0, 1]],
      keep: [],
      refinements: 0
    })
    run({
      grid,
      keyOf,
      scores: (point) => {
        seen.push(keyOf(point))
        return [[0]]
      }
    })
    assert.sameMembers(seen, ["0.500000000", "0.333333333", "0.200000000", "0.666666667", "0.800000000"])
  })
  it("knows the standard error of a paired difference", () => {
    assert.strictEqual(standardError([[1, 1]], [[0, 0]]), 0)
    assert.closeTo(standardError([[1, 0, 1, 0]], [[0, 0, 0, 0]]), 0.25, 1e-12)
    assert.closeTo(standardError([[1, 0, 1, 0], [1, 0, 1, 0]], [[0, 0, 0, 0], [0, 0, 0, 0]]), 0.25 / Math.SQRT2, 1e-12)
  })
})

describe("CMA-ES in the space", () => {
  const search = (budget: number, seed = 1, scores = (p: Point) => -distance(p.flat(), [0.6, 0.3, 0.1, 0.7])) => {
    const variables = [weights(3), densities]
    return Effect.runSync(searchEvolution({ variables, start: [[1, 1, 1], [0.5]], seed }, {
      keyOf: (point) => Effect.succeed(JSON.stringify(point)),
      evaluate: (point) => Effect.succeed([[scores(point)]]),
      levels: 1,
      budget
    }))
  }
  it("finds weights and a density, each point once, in no more than its budget", () => {
    const trials = search(400)
    assert.isBelow(distance(trials.best()[0]!.point.flat(), [0.6, 0.3, 0.1, 0.7]), 0.02)
    assert.strictEqual(new Set(trials.all.map(({ key }) => key)).size, trials.all.length)
    assert.isAtMost(trials.all.length, 400)
    for (const { point } of trials.all) {
      assert.closeTo(point[0]!.reduce((a, b) => a + b, 0), 1, 1e-9)
      assert.isTrue(point[1]![0]! >= 0 && point[1]![0]! <= 1)
    }
  })
  it("goes the same way under the same seed, as far as the budget goes", () => {
    const [short, long] = [search(20), search(60)]
    assert.strictEqual(short.all.length, 20)
    assert.deepStrictEqual(short.all, long.all.slice(0, 20))
    assert.notDeepEqual(search(20, 2).all, short.all)
  })
  it("ends where every sample is the same point", () => {
    const trials = make({
      keyOf: () => Effect.succeed("one"),
      evaluate: () => Effect.succeed([[1]]),
      levels: 1,
      budget: 5
    })
    assert.lengthOf(Effect.runSync(trials.run([[[1]], [[2]]], 0, [0])), 2)
    assert.lengthOf(trials.all, 1)
    assert.isBelow(search(100_000, 1, () => 0).all.length, 100_000)
  })
})
