/** GEPA: its draw of parents against the authors' package, its budget, its loop on a task with a known best. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import { minibatches } from "../../src/domain/gepa/batches.ts"
import { metricCalls } from "../../src/domain/gepa/budget.ts"
import { type Event, optimise, type Problem } from "../../src/domain/gepa/gepa.ts"
import { ancestorsOf, type Candidate, compared, crossed } from "../../src/domain/gepa/merge.ts"
import { frontsOf, mean, parents, type Scores, undominated } from "../../src/domain/gepa/pareto.ts"
import * as Key from "../../src/domain/Key.ts"

const worked: Scores = [[.2, .5, .9, .4], [.6, .5, .3, .4], [.6, .7, .1, .2], [.1, .5, .9, .4]]

const sorted = (fronts: ReadonlyArray<ReadonlySet<number>>) =>
  fronts.map((own) => Array.from(own).toSorted((a, b) => a - b))

const matrix = fc.integer({ min: 1, max: 6 }).chain((examples) =>
  fc.array(
    fc.array(fc.constantFrom(0, 0.5, 1), { minLength: examples, maxLength: examples }),
    { minLength: 1, maxLength: 6 }
  )
)

describe("the candidates to go on from", () => {
  it("are best on some example, unless others are best wherever they are", () => {
    assert.deepStrictEqual(sorted(frontsOf(worked)), [[1, 2], [2], [0, 3], [0, 1, 3]])
    assert.deepStrictEqual(sorted(undominated(worked)), [[2], [2], [0], [0]])
    assert.deepStrictEqual(parents(worked), [0, 0, 2, 2])
  })
  it("are those of the authors' package", () => {
    const cases = JSON.parse(readFileSync("test/golden/pareto.json", "utf8")) as ReadonlyArray<
      { readonly scores: Scores; readonly left: ReadonlyArray<ReadonlyArray<number>> }
    >
    assert.isAtLeast(cases.length, 50)
    for (const { left, scores } of cases) {
      assert.deepStrictEqual(sorted(undominated(scores)), left)
    }
  })
  it("leave no example without one", () => {
    fc.assert(fc.property(matrix, (scores) => {
      const fronts = frontsOf(scores)
      for (const [v, left] of undominated(scores).entries()) {
        assert.isAbove(left.size, 0)
        assert.isTrue([...left].every((p) => fronts[v]!.has(p)))
      }
      const only = parents(scores)
      assert.isTrue(only.every((p, i) => i === 0 || only[i - 1]! <= p))
    }))
  })
})

describe("a budget", () => {
  it("is DSPy's", () => {
    const found = (["light", "medium", "heavy"] as const).map((size, i) => metricCalls(size, 1, 100 * (i + 1)))
    assert.deepStrictEqual(found, [780, 1690, 3135])
  })
})

describe("minibatches", () => {
  it("take each example once an epoch, and fill up with the least used", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 }), fc.nat(), (n, size, seed) => {
        const next = minibatches(Key.make(seed), n, size)
        const used = new Int32Array(n)
        const perEpoch = Math.ceil(n / size)
        for (let epoch = 0; epoch < 4; epoch++) {
          const own = Array.from({ length: perEpoch }, next)
          assert.isTrue(own.every((batch) => batch.length === size))
          assert.strictEqual(new Set(own.flat().slice(0, n)).size, n)
          for (const example of own.flat()) used[example]!++
        }
        assert.isAtMost(Math.max(...used) - Math.min(...used), size > n ? size : 1)
      })
    )
  })
})

const candidate = (
  texts: Candidate["texts"],
  from: ReadonlyArray<number>,
  scores: ReadonlyArray<number>
): Candidate => ({
  texts,
  parents: from,
  scores
})
const family = [
  candidate({ a: "a", b: "b" }, [], [0, 0, 0, 0, 0, 0]),
  candidate({ a: "A", b: "b" }, [0], [1, 1, 1, 0, 0, 0]),
  candidate({ a: "a", b: "B" }, [0], [0, 0, 0, 1, 1, 1])
]

describe("a merge", () => {
  it("takes of each component what one of the two changed, and is tried once", () => {
    const tried = new Set<string>()
    const child = crossed(Key.make(1), family, tried)
    assert.deepStrictEqual(child, { pair: [1, 2], ancestor: 0, texts: { a: "A", b: "B" } })
    assert.isUndefined(crossed(Key.make(2), family, tried))
  })
  it("is of no candidate with its own ancestor, nor of two that changed the same", () => {
    const line = [family[0]!, candidate({ a: "A", b: "b" }, [0], [1, 0]), candidate({ a: "A", b: "B" }, [1], [0, 1])]
    assert.isUndefined(crossed(Key.make(1), line, new Set()))
    const same = [family[0]!, candidate({ a: "A", b: "b" }, [0], [1, 0]), candidate({ a: "X", b: "b" }, [0], [0, 1])]
    assert.isUndefined(crossed(Key.make(1), same, new Set()))
    assert.deepStrictEqual([...ancestorsOf(line, 2)], [1, 0])
  })
  it("is compared where either parent is better, and where neither is", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(-1, 0, 1), { minLength: 5, maxLength: 30 }), fc.nat(), (signs, seed) => {
        const chosen = compared(Key.make(seed), signs.map((s) => Math.max(0, s)), signs.map((s) => Math.max(0, -s)))!
        assert.deepStrictEqual([chosen.length, new Set(chosen).size], [5, 5])
        const count = (sign: number) => chosen.filter((v) => signs[v] === sign).length
        const there = (sign: number) => signs.filter((own) => own === sign).length
        for (const sign of [-1, 1]) assert.isAtLeast(count(sign), Math.min(2, there(sign)))
      })
    )
    assert.isUndefined(compared(Key.make(0), [1, 0], [0, 1]))
  })
})

/**
 * Example v wants letter v mod 3 of a component of its own; a rewriting adds the letter that the first wrong example
 * wants. Best is all letters in all components. Where an empty text counts for something, to begin a component has a price.
 */
const letters = "xyz"
const taskOf = (components: ReadonlyArray<string>, untouched = 0) => {
  const asked: Array<number> = []
  const score = (texts: Readonly<Record<string, string>>, v: number) => {
    const text = texts[components[Math.floor(v / 3) % components.length]!]!
    return text === "" ? untouched : text.includes(letters[v % 3]!) ? 1 : 0
  }
  const problem: Problem<never, never, never, never> = {
    seed: Object.fromEntries(components.map((name) => [name, ""])),
    train: 9,
    val: 12,
    evaluate: (texts, _, examples) => {
      asked.push(examples.length)
      return Effect.succeed(examples.map((v) => ({ score: score(texts, v), feedback: letters[v % 3]! })))
    },
    reflect: (component, texts, outcomes) => {
      const wrong = outcomes.find(({ score: own }) => own < 1)
      return Effect.succeed(wrong && `${texts[component]!}${wrong.feedback}`)
    }
  }
  return { problem, asked }
}
const options = { max_metric_calls: 600, minibatch: 3, merge: true, max_merges: 5, seed: 0 }

const run = (components: ReadonlyArray<string>, own: Partial<typeof options> = {}, untouched = 0) =>
  Effect.gen(function*() {
    const { asked, problem } = taskOf(components, untouched)
    const events: Array<Event> = []
    const found = yield* optimise(
      problem,
      { ...options, ...own },
      (event) => Effect.sync(() => void events.push(event))
    )
    return { asked, events, found }
  })

describe("an optimisation", () => {
  it.effect("finds the best of a task that it can solve, and counts its calls", () =>
    Effect.gen(function*() {
      for (const components of [["p"], ["p", "q"]]) {
        const { asked, events, found } = yield* run(components)
        assert.strictEqual(mean(found.pool[found.best]!.scores), 1)
        assert.strictEqual(found.calls, asked.reduce((sum, own) => sum + own, 0))
        assert.strictEqual(events.at(-1)!.calls, found.calls)
        assert.isAtLeast(found.calls, options.max_metric_calls)
        assert.isBelow(found.calls, options.max_metric_calls + 2 * options.minibatch + 12)
        assert.deepStrictEqual(events.filter(({ outcome }) => outcome === "kept").map((own) => own.candidate), [
          ...found.pool.keys()
        ])
      }
    }))
  it.effect("keeps only what is better on its minibatch, and is the same under the same seed", () =>
    Effect.gen(function*() {
      const [first, second, other] = [
        yield* run(["p", "q"]),
        yield* run(["p", "q"]),
        yield* run(["p", "q"], { seed: 7 })
      ]
      assert.deepStrictEqual(second.events, first.events)
      assert.notDeepEqual(other.events, first.events)
      for (const { compared: sums, kind, outcome } of first.events) {
        if (sums === null || kind !== "reflection") continue
        assert.strictEqual(outcome === "kept", sums[1] > sums[0])
      }
    }))
  it.effect("merges candidates of several components, and those of one never", () =>
    Effect.gen(function*() {
      const kinds = (events: ReadonlyArray<Event>) => events.filter(({ kind }) => kind === "merge").length
      const seeds = [0, 1, 2, 3, 4, 5]
      const several = yield* Effect.forEach(seeds, (seed) => run(["p", "q", "r"], { seed }, 0.2))
      assert.isTrue(several.some(({ events }) => kinds(events) > 0))
      for (const { events } of several) {
        for (const { compared: sums, kind, outcome } of events) {
          if (kind === "merge") assert.strictEqual(outcome === "kept", sums![1] >= sums![0])
        }
      }
      const one = yield* Effect.forEach(seeds, (seed) => run(["p"], { seed }, 0.2))
      assert.isTrue(one.every(({ events }) => kinds(events) === 0))
    }))
  it.effect("ends although nothing is ever proposed", () =>
    Effect.gen(function*() {
      const { problem } = taskOf(["p"])
      const found = yield* optimise({ ...problem, reflect: () => Effect.succeed(undefined) }, options)
      assert.strictEqual(found.pool.length, 1)
      assert.isAtLeast(found.calls, options.max_metric_calls)
    }))
})
