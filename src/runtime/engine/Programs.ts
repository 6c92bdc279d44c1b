/** Programs compiled on first use, one a key (a bucket of lengths, say), for any number of fibers at once. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RcMap from "effect/RcMap"
import * as ScopedCache from "effect/ScopedCache"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { type Feeds, finite, type Program, Session } from "./Session.ts"

/** Runs the program of a key. */
export type Run<K> = (
  key: K,
  ...run: Parameters<Program<string, string>["run"]>
) => ReturnType<Program<string, string>["run"]>

/** Which programs stay, and what is checked of their results. */
export interface CachedOptions {
  /** Programs that stay compiled while none runs: those used last. */
  readonly kept?: number
  /** Leave NaN and infinite results to the caller, who tells more of them than `NotFinite` does. */
  readonly unchecked?: boolean
  /** Inputs that keep their values while the record is the same: programs are compiled for it. */
  readonly fixed?: () => Feeds<string>
}

const KEPT = 8

/** What a lookup that failed leaves behind is nothing: the next one tries again. */
const lasting = (exit: Exit.Exit<unknown, unknown>): Duration.Duration =>
  Exit.isSuccess(exit) ? Duration.infinity : Duration.zero

/**
 * The value of an effect, acquired once when it is first wanted and kept for the scope; a failure is not kept. An
 * acquisition that has begun ends before an interruption is heard, here and below: native code cannot be stopped.
 */
export const lazily = <A, E, R>(acquire: Effect.Effect<A, E, R>) =>
  Effect.map(
    ScopedCache.makeWith({ lookup: (_: "only") => acquire, capacity: 1, timeToLive: lasting }),
    (cache) => Effect.uninterruptible(ScopedCache.get(cache, "only"))
  )

/** A number for each record that there has been. */
const versions = (record: () => object): () => number => {
  let [last, count] = [record(), 0]
  return () => {
    if (record() !== last) [last, count] = [record(), count + 1]
    return count
  }
}

/**
 * A program is compiled once however many fibers want it, and released when none of them runs it and others were used
 * since. Each of those that run it holds a reference to it, and `recent` another.
 */
export const cached = Effect.fnUntraced(function*<K extends ReadonlyArray<number | string>>(
  graph: (key: K) => Graph<any, any>,
  { fixed, kept = KEPT, unchecked = false }: CachedOptions = {}
) {
  const session = yield* Session
  /** Keys by name: what is looked up by a text is found the sooner. */
  const keys = new Map<string, K>()
  const version = fixed && versions(fixed)
  const programs = yield* RcMap.make({
    lookup: (name: string) => Effect.suspend(() => session.compile<string, string>(graph(keys.get(name)!), fixed?.()))
  })
  const recent = yield* ScopedCache.makeWith({
    lookup: (name: string) => RcMap.get(programs, name),
    capacity: kept,
    timeToLive: lasting
  })
  const held = (name: string) =>
    Effect.tap(Effect.uninterruptible(RcMap.get(programs, name)), () => ScopedCache.get(recent, name))
  const run: Run<K> = (key, feeds, into) => {
    const name = version ? `${key.join()} ${version()}` : key.join()
    keys.set(name, key)
    return held(name).pipe(
      Effect.flatMap((program) => {
        const results = program.run(feeds, into)
        return unchecked ? results : Effect.flatMap(results, (made) => finite(program.graph.name, made))
      }),
      Effect.scoped
    )
  }
  return run
})

/** The next length is a quarter of a power of two away, but no more than 32 or a sixteenth. */
const stepAfter = (size: number): number => {
  const power = 2 ** Math.floor(Math.log2(size))
  return Math.max(8, Math.min(power / 4, 32), power / 16)
}

/** Lengths that programs are compiled for: near any length, and few. */
export const bucket = (length: number, most: number): number => {
  let size = 8
  while (size < length) size += stepAfter(size)
  return Math.min(size, Math.max(most, length))
}

/** The least power of two that is not below `n`. */
export const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n))
