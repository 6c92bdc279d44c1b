/** Programs compiled on first use, one per key (such as a bucket of lengths), for any number of concurrent fibers. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RcMap from "effect/RcMap"
import * as ScopedCache from "effect/ScopedCache"
import type { Graph } from "../../kernels/onnx/encode.ts"
import { isOutOfMemory } from "./outOfMemory.ts"
import { type Feeds, finite, type Program, Session } from "./Session.ts"

/** Runs a program, and fails with `NotFinite` if a result is not finite. */
export const finitely = (program: Program<string, string>, ...run: Parameters<Program<string, string>["run"]>) =>
  Effect.flatMap(program.run(...run), (results) => finite(program.graph.name, results))

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
  /** Results are written over inputs: a run that failed cannot be tried again. */
  readonly inPlace?: boolean
}

/** The programs that a cache keeps although they are idle. */
interface Idle {
  readonly count: Effect.Effect<number>
  readonly release: Effect.Effect<void>
}

/** Of all caches of a session. Idle programs hold memory of the device, such as their arenas. */
const idlers = new WeakMap<Session["Service"], Set<Idle>>()

/** Registers a cache's idle programs until the scope ends. */
const idling = (session: Session["Service"], idle: Idle) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const all = idlers.get(session) ?? new Set()
      idlers.set(session, all.add(idle))
    }),
    () => Effect.sync(() => idlers.get(session)!.delete(idle))
  )

/** Releases the idle programs of all caches of the session; returns how many there were. */
const relieve = Effect.fnUntraced(function*(session: Session["Service"]) {
  let released = 0
  for (const { count, release } of idlers.get(session) ?? []) {
    released += yield* count
    yield* release
  }
  return released
})

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
 * used since. Each fiber that runs it holds a reference to it, and `recent` another. If memory runs out, idle programs
 * are released, and the run is tried once more if there were others.
 */
export const cached = Effect.fnUntraced(function*<K extends ReadonlyArray<number | string>>(
  graph: (key: K) => Graph<any, any>,
  { fixed, inPlace = false, kept = KEPT, unchecked = false }: CachedOptions = {}
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
  yield* idling(session, { count: ScopedCache.size(recent), release: ScopedCache.invalidateAll(recent) })
  const held = (name: string) =>
    Effect.tap(Effect.uninterruptible(RcMap.get(programs, name)), () => ScopedCache.get(recent, name))
  const run: Run<K> = (key, feeds, into) => {
    const name = version ? `${key.join()} ${version()}` : key.join()
    keys.set(name, key)
    const once = held(name).pipe(
      Effect.flatMap((program) => unchecked ? program.run(feeds, into) : finitely(program, feeds, into)),
      Effect.scoped
    )
    return Effect.catchIf(once, isOutOfMemory, (error) =>
      Effect.gen(function*() {
        const own = (yield* ScopedCache.has(recent, name)) ? 1 : 0
        const others = (yield* relieve(session)) - own
        return yield* others > 0 && !inPlace ? once : Effect.fail(error)
      }))
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
