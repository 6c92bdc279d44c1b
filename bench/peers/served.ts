/** Training steps on request: a line in, a line of JSON out. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createInterface } from "node:readline"
import { peak, say } from "./measured.ts"

export const meanOf = (losses: ArrayLike<number>): number =>
  Array.from(losses).reduce((sum, own) => sum + own, 0) / losses.length

/** Takes one step, which does not count, and then one for each line: its seconds, CPU seconds and loss, and the peak of memory. */
export const served = <E, R>(take: (step: number) => Effect.Effect<number, E, R>): Effect.Effect<void, E, R> => {
  let step = 0
  const once = Effect.gen(function*() {
    const [before, start] = [process.cpuUsage(), performance.now()]
    const loss = yield* take(step++)
    const { system, user } = process.cpuUsage(before)
    return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, loss }
  })
  return Effect.gen(function*() {
    yield* once
    say({ startPeak: peak() })
    const asked = Stream.orDie(Stream.fromAsyncIterable(createInterface({ input: process.stdin }), String))
    yield* Stream.runForEach(asked, () => Effect.map(once, (told) => say({ ...told, peak: peak() })))
  })
}
