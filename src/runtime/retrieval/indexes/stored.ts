/** An index on disk, searched from where it lies. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { bytesText } from "../../../domain/units.ts"
import { spaceIn } from "../../files/disk.ts"
import * as Lock from "../../files/lock.ts"
import { type Index, IndexError, type Origin, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import * as Exact from "./exact.ts"
import * as Format from "./format.ts"
import { type Reader, type Searching, searching, searchOf, sizeOf, statsOf } from "./search.ts"

/**
 * Chunks are read one ahead of the one that is searched, into two arrays of a search's own. The first of them, as many
 * as `memory` bytes hold, stay once they are read.
 */
const readerOf = ({ chunks, dim, into }: Format.Opened, memory: number) => {
  const held: Array<Float32Array> = []
  let room = memory
  const holds = chunks.map((chunk) => (room -= 4 * sizeOf(chunk, dim)) >= 0)
  const largest = chunks.reduce((most, chunk, i) => holds[i] ? most : Math.max(most, sizeOf(chunk, dim)), 0)
  const keep = (i: number) =>
    Effect.map(into(i, new Float32Array(sizeOf(chunks[i]!, dim))), (vectors) => held[i] = vectors)
  return (): Reader<IndexError> => {
    const spare = [new Float32Array(largest), new Float32Array(largest)]
    const read = (i: number) => holds[i] ? keep(i) : into(i, spare[i % 2]!.subarray(0, sizeOf(chunks[i]!, dim)))
    let ahead: Fiber.Fiber<Float32Array, IndexError> | undefined
    return Effect.fnUntraced(function*(i) {
      const vectors = held[i] ?? (yield* ahead ? Fiber.join(ahead) : read(i))
      ahead = i + 1 < chunks.length && !held[i + 1] ? yield* Effect.forkChild(read(i + 1), { startImmediately: true }) : undefined
      return vectors
    })
  }
}

const indexOf = (run: Searching, generation: number, memory: number) => (opened: Format.Opened): Index => ({
  generation,
  stats: statsOf(opened),
  search: searchOf(opened, run, readerOf(opened, memory))
})

/** Refuses to begin what the disk has no room for. */
const checkRoom = Effect.fnUntraced(function*(folder: string, { bytes }: Index["stats"]) {
  const space = yield* spaceIn(folder)
  if (bytes <= space) return
  const reason = `the index takes ${bytesText(bytes)}, and the disk has room for ${bytesText(space)}`
  return yield* new IndexError({ path: folder, reason })
})

export interface StoredOptions {
  /** Bytes of vectors that are kept in memory once they are read. */
  readonly memory: number
}

/** Indexes are built into the folder, in place of the one that it holds; that is not opened. */
export const into = (folder: string, { memory }: StoredOptions) =>
  Layer.effect(
    PassageIndex,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const run = yield* searching
      const withFiles = Effect.provideService(FileSystem.FileSystem, fs)
      return PassageIndex.of({
        open: () => Effect.succeed(undefined),
        build: <E, R>(generation: number, origin: Origin, corpus: PassageVectors<E, R>) =>
          Effect.flatMap(Effect.scope, (scope) =>
            Effect.gen(function*() {
              yield* Format.failing(Lock.hold(folder))
              yield* checkRoom(folder, statsOf(corpus))
              yield* Format.write(folder, origin, corpus)
              return indexOf(run, generation, memory)(yield* Scope.provide(Format.reopen(folder, corpus), scope))
            }).pipe(Effect.scoped)).pipe(withFiles)
      })
    })
  )

/** The index of a folder, written for the same corpus and weights; those that are built are in memory. */
export const from = (folder: string, { memory }: StoredOptions) =>
  Layer.effect(
    PassageIndex,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const run = yield* searching
      const built = Exact.build(run)
      return PassageIndex.of({
        open: (origin) =>
          Format.open(folder, origin).pipe(
            Effect.map(indexOf(run, 1, memory)),
            Effect.provideService(FileSystem.FileSystem, fs)
          ),
        build: (generation, _, corpus) => built(generation, corpus)
      })
    })
  )
