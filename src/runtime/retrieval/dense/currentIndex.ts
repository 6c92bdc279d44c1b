/** The index in use. It can be replaced at any time; the old one is released when its searches have ended. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Index } from "../../ports/PassageIndex.ts"

interface Held {
  readonly index: Index
  readonly scope: Scope.Closeable
  searches: number
  replaced: boolean
}

/** A replaceable index. */
export interface CurrentIndex {
  readonly get: () => Index | undefined
  /** Makes an index and replaces the current one; if that fails, the current one stays. */
  readonly put: <E, R>(
    make: Effect.Effect<Index, E, R | Scope.Scope>
  ) => Effect.Effect<Index, E, Exclude<R, Scope.Scope>>
  /** Uses the current index, which must exist and is kept until `use` ends. */
  readonly use: <A, E, R>(use: (index: Index) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

const release = (held: Held) =>
  Effect.suspend(() => held.replaced && held.searches === 0 ? Scope.close(held.scope, Exit.void) : Effect.void)

/** All indexes are released with the scope. */
export const currentIndex = Effect.map(Effect.scope, (scope): CurrentIndex => {
  let current: Held | undefined
  return {
    get: () => current?.index,
    put: Effect.fnUntraced(function*(make) {
      const own = yield* Scope.fork(scope)
      const index = yield* Scope.provide(make, own).pipe(Effect.onError(() => Scope.close(own, Exit.void)))
      const before = current
      current = { index, scope: own, searches: 0, replaced: false }
      if (before) {
        before.replaced = true
        yield* release(before)
      }
      return index
    }),
    use: (use) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          current!.searches++
          return current!
        }),
        ({ index }) => use(index),
        (held) => Effect.andThen(Effect.sync(() => held.searches--), release(held))
      )
  }
})
