/** An index on disk, searched in place. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Lock from "../../files/lock.ts"
import { type Origin, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import { checkRoom, indexOf } from "./filed.ts"
import * as Format from "./format.ts"
import { searching, statsOf } from "./search.ts"
import * as Temporary from "./temporary.ts"

/** How an index on disk is read. */
export interface StoredOptions {
  /** Maximum bytes of vectors cached in memory. */
  readonly memory: number
}

/** Builds indexes into the folder, replacing the existing one, which is never opened. */
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

/**
 * Opens the folder's index, which must match corpus and weights; newly built indexes are temporary (`temporary.ts`).
 */
export const from = (folder: string, { memory }: StoredOptions) =>
  Layer.effect(
    PassageIndex,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const run = yield* searching
      const withFiles = Effect.provideService(FileSystem.FileSystem, fs)
      const built = Temporary.build(run, memory)
      return PassageIndex.of({
        open: (origin) =>
          Format.open(folder, origin).pipe(
            Effect.map(indexOf(run, 1, memory)),
            withFiles
          ),
        build: (generation, _, corpus) => withFiles(built(generation, corpus))
      })
    })
  )
