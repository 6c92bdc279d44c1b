/**
 * Values that the runs of an experiment share, in a folder that several processes use. A value is computed by one of them, while
 * others that want it wait; a damaged or foreign file is told of, and computed again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import { bytesText } from "../../../domain/units.ts"
import type { Saved, Sharing, Wanted } from "../../ports/Shared.ts"
import { type FileError, sha256 } from "../disk.ts"
import * as Lock from "../lock.ts"
import * as Entries from "./entries.ts"

/** Bytes of all values that are kept; those that were not used for the longest time make room. */
export const MOST = 2 ** 31

/** Kinds of values that are kept, each in a folder of its own. */
const kinds = ["index", "candidates", "scores", "rankings"]

/** Locks of a kind; keys with the same first digits share one. */
const SHARD = 2

/** Options of sharing. */
export interface SharedOptions {
  /** Bytes that values may take on disk; `MOST` by default. */
  readonly most?: number
  /** What all values depend on, as JSON: the program and the machine. */
  readonly environment: unknown
  /** Tells of another process that is waited for. */
  readonly tell: (line: string) => Effect.Effect<void>
}

/** Sums of what was saved, by kind. */
const tally = () => {
  const all = new Map<string, Saved>()
  const add = (kind: string, { readings, seconds, times }: Saved): void => {
    const before = all.get(kind) ?? { times: 0, readings: 0, seconds: 0 }
    all.set(kind, {
      times: before.times + times,
      readings: before.readings + readings,
      seconds: before.seconds + seconds
    })
  }
  return { all, add }
}

/** Shares values in a folder. */
export const make = Effect.fnUntraced(function*(folder: string, { environment, most = MOST, tell }: SharedOptions) {
  const fs = yield* FileSystem.FileSystem
  const onDisk = Effect.provideService(FileSystem.FileSystem, fs)
  const { add, all } = tally()
  const large = new Set<string>()
  let held = yield* Entries.prune(folder, kinds, most)

  const warned = (error: FileError, instead: string) => Effect.logWarning(`${error.message}; ${instead}`)

  /** The value as it is kept; `undefined` if there is none, or none that can be used, which is told. */
  const found = Effect.fnUntraced(function*<A>({ kind, value }: Wanted<A>, key: string) {
    const entry = yield* Effect.catch(
      Entries.read(folder, kind, key),
      (error) => Effect.as(warned(error, "it is computed again"), undefined)
    )
    if (entry === undefined) return undefined
    const known = value(entry.bytes)
    if (known === undefined) {
      yield* Effect.logWarning(`${Entries.pathOf(folder, kind, key)}: holds no ${kind}; they are computed again`)
      return undefined
    }
    yield* Entries.touch(folder, kind, key, yield* Clock.currentTimeMillis)
    add(kind, { times: 1, readings: entry.header.readings, seconds: entry.header.seconds })
    return { known }
  })

  /** Keeps a value; what cannot be kept is told, and does not stop a run. */
  const keep = Effect.fnUntraced(
    function*<A>({ bytes, kind, readings }: Wanted<A>, key: string, value: A, seconds: number) {
      const own = bytes(value)
      if (own.length > most / 4) {
        if (!large.has(kind)) yield* tell(`${folder}: ${kind} of ${bytesText(own.length)} are too large to be shared`)
        large.add(kind)
        return
      }
      held += yield* Entries.write(folder, { kind, key, readings, seconds }, own)
      if (held > most) held = yield* Entries.prune(folder, kinds, 0.8 * most)
    },
    Effect.catch((error: FileError) => warned(error, "it is not shared"))
  )

  const computed = Effect.fnUntraced(function*<A, E, R>(
    wanted: Wanted<A>,
    key: string,
    compute: Effect.Effect<A, E, R>
  ) {
    const known = yield* onDisk(found(wanted, key))
    if (known) return known.known
    const began = yield* Clock.currentTimeMillis
    const value = yield* compute
    yield* onDisk(keep(wanted, key, value, ((yield* Clock.currentTimeMillis) - began) / 1000))
    return value
  })

  const locked = (kind: string, key: string) =>
    Lock.waiting(
      join(folder, ".locks", `${kind}-${key.slice(0, SHARD)}`),
      (other) => tell(`${folder}: waits for ${kind} of process ${other}`)
    ).pipe(Effect.catch((error) => warned(error, `${kind} may be computed twice`)), onDisk)

  return {
    on: true,
    folder,
    value: Effect.fnUntraced(function*<A, E, R>(wanted: Wanted<A>, compute: Effect.Effect<A, E, R>) {
      if (wanted.of === undefined) return yield* compute
      const key = sha256(JSON.stringify([environment, wanted.kind, wanted.of]))
      const known = yield* onDisk(found(wanted, key))
      if (known) return known.known
      return yield* Effect.scoped(Effect.andThen(locked(wanted.kind, key), computed(wanted, key, compute)))
    }),
    save: add,
    saved: () => all
  } satisfies Sharing as Sharing
})
