/** Programs compiled on first use, one per key (such as a bucket of lengths), for any number of concurrent fibers. */
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

/** Which programs stay compiled, and how results are checked. */
export interface CachedOptions {
  /** Number of programs that stay compiled while idle: the most recently used. */
  readonly kept?: number
  /** Leave NaN and infinite results to the caller, who reports them in more detail than `NotFinite`. */
  readonly unchecked?: boolean
  /** Inputs whose values are fixed while the record is the same: programs are compiled for it. */
  readonly fixed?: () => Feeds<string>
}

const KEPT = 8

/** A failed lookup is not cached: the next one tries again. */
const lasting = (exit: Exit.Exit<unknown, unknown>): Duration.Duration =>
  Exit.isSuccess(exit) ? Duration.infinity : Duration.zero

/**
 * The value of an effect, acquired on first use and kept for the scope; failures are not kept. Here and below, an
 * acquisition that has begun finishes before an interruption takes effect: native code cannot be stopped.
 */
export const lazily = <A, E, R>(acquire: Effect.Effect<A, E, R>) =>
  Effect.map(
    ScopedCache.makeWith({ lookup: (_: "only") => acquire, capacity: 1, timeToLive: lasting }),
    (cache) => Effect.uninterruptible(ScopedCache.get(cache, "only"))
  )

/** A version number, increased whenever the record is replaced. */
const versions = (record: () => object): () => number => {
  let [last, count] = [record(), 0]
  return () => {
    if (record() !== last) [last, count] = [record(), count + 1]
    return count
  }
}

/**
 * Compiles a program once, however many fibers ask for it, and releases it when none runs it and `kept` others were
 * used since. Each fiber that runs it holds a reference to it, and `recent` another.
 */
export const cached = Effect.fnUntraced(function*<K extends ReadonlyArray<number | string>>(
  graph: (key: K) => Graph<any, any>,
  { fixed, kept = KEPT, unchecked = false }: CachedOptions = {}
) {
  const session = yield* Session
  /** Keys by name: programs are looked up faster by a string. */
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

/** Distance to the next bucket: a quarter of the power of two, at most 32 or a sixteenth of it, and at least 8. */
const stepAfter = (size: number): number => {
  const power = 2 ** Math.floor(Math.log2(size))
  return Math.max(8, Math.min(power / 4, 32), power / 16)
}

/** The length to compile for: one of few buckets, near `length`, and no more than `most` unless `length` is. */
export const bucket = (length: number, most: number): number => {
  let size = 8
  while (size < length) size += stepAfter(size)
  return Math.min(size, Math.max(most, length))
}

/** The smallest power of two that is at least `n`. */
export const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n))
