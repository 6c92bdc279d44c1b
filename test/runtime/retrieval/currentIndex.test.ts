/** An index that is replaced while it is searched goes when the search has ended, and not before. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Index } from "../../../src/runtime/ports/PassageIndex.ts"
import { currentIndex } from "../../../src/runtime/retrieval/dense/currentIndex.ts"

/** An index that is told of when it goes. */
const making = (generation: number, gone: Array<number>) =>
  Effect.acquireRelease(
    Effect.succeed({ generation } as Index),
    () => Effect.sync(() => void gone.push(generation))
  )

describe("the index that is searched now", () => {
  it.effect("goes when another takes its place", () =>
    Effect.gen(function*() {
      const gone: Array<number> = []
      yield* Effect.gen(function*() {
        const current = yield* currentIndex
        assert.isUndefined(current.get())
        yield* current.put(making(1, gone))
        assert.deepStrictEqual(gone, [])
        yield* current.put(making(2, gone))
        assert.deepStrictEqual(gone, [1])
        assert.strictEqual(current.get()!.generation, 2)
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(gone, [1, 2])
    }))
  it.effect("stays for the searches that have begun", () =>
    Effect.gen(function*() {
      const gone: Array<number> = []
      const current = yield* currentIndex
      yield* current.put(making(1, gone))
      const ends = yield* Effect.forEach([0, 1], () => Deferred.make<void>())
      const searches = yield* Effect.forEach(ends, (end) =>
        Effect.forkChild(
          current.use(({ generation }) => Effect.as(Deferred.await(end), generation)),
          {
            startImmediately: true
          }
        ))
      yield* current.put(making(2, gone))
      assert.strictEqual(yield* current.use(({ generation }) => Effect.succeed(generation)), 2)
      yield* Deferred.succeed(ends[0]!, undefined)
      assert.strictEqual(yield* Fiber.join(searches[0]!), 1)
      assert.deepStrictEqual(gone, [])
      yield* Fiber.interrupt(searches[1]!)
      assert.deepStrictEqual(gone, [1])
    }).pipe(Effect.scoped))
  it.effect("stays where another cannot be made", () =>
    Effect.gen(function*() {
      const gone: Array<number> = []
      const current = yield* currentIndex
      yield* current.put(making(1, gone))
      const failing = Effect.andThen(making(2, gone), Effect.fail("no room"))
      assert.strictEqual(yield* Effect.flip(current.put(failing)), "no room")
      assert.deepStrictEqual([gone, current.get()!.generation], [[2], 1])
    }).pipe(Effect.scoped))
})
