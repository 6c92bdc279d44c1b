/** An index in memory. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Index, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import { eachChunk, type Searching, searching, searchOf, statsOf } from "./search.ts"

/** The index of a source's vectors; `encoded` is told how many passages are there so far. */
export const build =
  (run: Searching) => <E, R>(generation: number, corpus: PassageVectors<E, R>): Effect.Effect<Index, E, R> =>
    Effect.gen(function*() {
      const held: Array<Float32Array> = []
      yield* eachChunk(corpus, (vectors) => Effect.sync(() => void held.push(vectors)))
      const { chunks, dim } = corpus
      return {
        generation,
        stats: statsOf(corpus),
        search: searchOf({ chunks, dim }, run, () => (chunk) => Effect.succeed(held[chunk]!))
      }
    })

/** There is none until it is built. */
export const layer = Layer.effect(
  PassageIndex,
  Effect.map(searching, (run) => {
    const built = build(run)
    return PassageIndex.of({
      open: () => Effect.succeed(undefined),
      build: (generation, _, corpus) => built(generation, corpus)
    })
  })
)
