/** A budget of tokens: no request is made that might pass it. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { BudgetSpent } from "../ports/Writer.ts"

/** `budget`: tokens of requests and answers; 0 for no limit. `kept` is told where answers are. */
export const make = (budget: number, kept: string) => {
  const now = { spent: 0, reserved: 0, settled: Deferred.makeUnsafe<void>() }
  const settle = (most: number, used: number) =>
    Effect.suspend(() => {
      const before = now.settled
      now.spent += used
      now.reserved -= most
      now.settled = Deferred.makeUnsafe<void>()
      return Deferred.succeed(before, undefined)
    })
  const reserve = (most: number): Effect.Effect<void, BudgetSpent> =>
    Effect.suspend(() => {
      if (budget > 0 && now.spent + now.reserved + most > budget) {
        return now.reserved === 0
          ? Effect.fail(new BudgetSpent({ budget, spent: now.spent, next: most, kept }))
          : Effect.andThen(Deferred.await(now.settled), reserve(most))
      }
      now.reserved += most
      return Effect.void
    })
  /** Runs a request that takes at most so many tokens; it waits for others if only their answers tell whether it may. */
  return <A, E, R>(most: number, request: Effect.Effect<A, E, R>, used: (answer: A) => number) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(reserve(most)), () => {
        let own = 0
        return restore(request).pipe(
          Effect.tap((answer) => Effect.sync(() => void (own = used(answer)))),
          Effect.ensuring(Effect.suspend(() => settle(most, own)))
        )
      })
    )
}
