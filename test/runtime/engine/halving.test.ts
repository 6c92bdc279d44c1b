/** Batches under a limit of memory: every row once, in order, in few runs, and the limit is remembered and told. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import * as Halving from "../../../src/runtime/engine/halving.ts"
import { runFailed } from "../../../src/runtime/engine/outOfMemory.ts"
import { CompileFailed, NotFinite, partFrom, SessionError } from "../../../src/runtime/engine/Session.ts"
import { heard } from "../../support/warnings.ts"

const rowsOf: Halving.Weigh = ([from, to]) => to - from
const full = (rows: number) => runFailed("work", `Failed to allocate memory for requested buffer of size ${rows}`)

/** Work on rows that memory allows up to a size; returns the rows, and counts its runs. */
const working = (limit: number, weigh: Halving.Weigh = rowsOf) => {
  const runs: Array<{ readonly range: Halving.Range; readonly fits: boolean }> = []
  const work = (range: Halving.Range) =>
    Effect.suspend(() => {
      const fits = weigh(range) <= limit
      runs.push({ range, fits })
      return fits
        ? Effect.succeed(Array.from({ length: rowsOf(range) }, (_, i) => range[0] + i))
        : Effect.fail(full(weigh(range)))
    })
  return { runs, work }
}

/** Lengths of rows, and a limit under which the longest fits alone. */
const cases = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 100 }).chain((lengths) =>
  fc.record({ lengths: fc.constant(lengths), limit: fc.integer({ min: Math.max(...lengths), max: 6000 }) })
)

describe("work that is halved", () => {
  it.effect("gives every row once and in order, under any limit that holds one row, in few runs", () =>
    Effect.promise(() =>
      fc.assert(fc.asyncProperty(cases, async ({ lengths, limit }) => {
        /** Rows are padded to the longest of their batch. */
        const weigh: Halving.Weigh = ([from, to]) => (to - from) * Math.max(...lengths.slice(from, to))
        const halving = Halving.make("work", "tokens")
        const { runs, work } = working(limit, weigh)
        const warnings: Array<string> = []
        const go = halving.each(lengths.length, weigh, work).pipe(heard(warnings))
        const want = [...lengths.keys()]
        assert.deepStrictEqual((await Effect.runPromise(go)).flat(), want)
        const failed = runs.filter(({ fits }) => !fits)
        assert.isAtMost(failed.length, 2 * Math.log2(lengths.length) + 1)
        assert.isAtMost(runs.length - failed.length, lengths.length)
        assert.strictEqual(warnings.length, failed.length)
        /** What has been found out is not found out again. */
        const before = runs.length
        assert.deepStrictEqual((await Effect.runPromise(go)).flat(), want)
        assert.isTrue(runs.slice(before).every(({ fits }) => fits))
        assert.strictEqual(warnings.length, failed.length)
      }))
    ))
  it.effect("runs once where memory suffices, and says nothing", () =>
    Effect.gen(function*() {
      const { runs, work } = working(64)
      const warnings: Array<string> = []
      yield* Halving.make("work", "rows").each(64, rowsOf, work).pipe(heard(warnings))
      assert.deepStrictEqual([runs.length, warnings], [1, []])
    }))
  it.effect("tells each new limit", () =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      const halving = Halving.make("reader.score", "tokens", ", slowly")
      assert.strictEqual(halving.most(), Infinity)
      yield* halving.each(10, rowsOf, working(3).work).pipe(heard(warnings))
      assert.deepStrictEqual(warnings, [
        "reader.score: memory does not hold 10 tokens at a time; going on with at most 5, slowly",
        "reader.score: memory does not hold 5 tokens at a time; going on with at most 3, slowly"
      ])
      assert.strictEqual(halving.most(), 3)
    }))
  it.effect("fails where one row has no room, with the error of its memory", () =>
    Effect.gen(function*() {
      const { runs, work } = working(4, ([from, to]) => from <= 5 && to > 5 ? 9 : to - from)
      const error = yield* Effect.flip(Halving.make("work", "rows").each(8, rowsOf, work).pipe(heard([])))
      assert.strictEqual(error.reason._tag, "OutOfMemory")
      assert.deepStrictEqual(runs.at(-1), { range: [5, 6], fits: false })
    }))
  it.effect("leaves other failures alone", () =>
    Effect.gen(function*() {
      let runs = 0
      const error = new SessionError({ reason: new CompileFailed({ program: "work", cause: "no such operator" }) })
      const work = () => Effect.suspend(() => (runs++, Effect.fail(error)))
      const halving = Halving.make("work", "rows")
      assert.strictEqual(yield* Effect.flip(halving.each(8, rowsOf, work)), error)
      assert.strictEqual(yield* Effect.flip(halving.together([[0, 8]], work)), error)
      assert.deepStrictEqual([runs, halving.most()], [2, Infinity])
    }))
  it.effect("of no rows is none", () =>
    Effect.map(
      Halving.make("work", "rows").each(0, rowsOf, working(1).work),
      (done) => assert.deepStrictEqual(done, [])
    ))
})

describe("work that is done together", () => {
  it.effect("is done in ranges that all fit, in order, under any limit that holds one row", () =>
    Effect.promise(() =>
      fc.assert(fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (sizes, limit) => {
          let from = 0
          const ranges = sizes.map((size): Halving.Range => [from, from += size])
          const halving = Halving.make("work", "questions")
          let tries = 0
          const work = (parts: ReadonlyArray<Halving.Range>) =>
            Effect.suspend(() => (tries++, Effect.as(Effect.forEach(parts, working(limit).work), parts)))
          const parts = await Effect.runPromise(halving.together(ranges, work).pipe(heard([])))
          assert.deepStrictEqual(parts.flatMap(([a, b]) => [a, b]).filter((x, i, all) => x !== all[i - 1]), [
            0,
            ...parts.map(([, to]) => to)
          ])
          assert.isTrue(parts.every((part) => rowsOf(part) >= 1 && rowsOf(part) <= limit))
          assert.strictEqual(parts.at(-1)![1], from)
          assert.isAtMost(tries, 6)
          for (const [start] of ranges) assert.isTrue(parts.some(([a]) => a === start))
        }
      ))
    ))
  it.effect("fails where one row has no room", () =>
    Effect.gen(function*() {
      const none = () => Effect.fail(full(1))
      const exit = yield* Effect.exit(Halving.make("work", "rows").together([[0, 8]], none).pipe(heard([])))
      assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("ran out of memory"))
    }))
})

describe("what falls back", () => {
  it.effect("is not tried again once it did not fit, and is told once", () =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      let tries = 0
      const whole = Effect.suspend(() => (tries++, Effect.fail(full(8))))
      const either = Halving.fallingBack("one at a time")
      const results = yield* Effect.all([
        either(Effect.succeed("whole"), Effect.succeed("parts")),
        either(whole, Effect.succeed("parts")),
        either(whole, Effect.succeed("parts"))
      ]).pipe(heard(warnings))
      assert.deepStrictEqual([results, tries, warnings], [["whole", "parts", "parts"], 1, ["one at a time"]])
    }))
})

describe("an element of a part", () => {
  it.effect("that is no number is counted from the start of the whole", () =>
    Effect.gen(function*() {
      const reason = new NotFinite({ program: "p", output: "y", element: 3, value: NaN, subject: "" })
      const error = yield* Effect.flip(partFrom(40)(Effect.fail(new SessionError({ reason }))))
      assert.match(error.message, /^Program p: element 43 of y is NaN/)
      assert.strictEqual((yield* Effect.flip(partFrom(40)(Effect.fail(full(1))))).reason._tag, "OutOfMemory")
    }))
})
