/** An index in memory. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Index, PassageIndex, type PassageVectors } from "../../ports/PassageIndex.ts"
import { eachChunk, type Searching, searching, searchOf, statsOf, vectorsOf } from "./search.ts"

/** Builds an index in memory. */
export const build =
  (run: Searching) => <E, R>(generation: number, corpus: PassageVectors<E, R>): Effect.Effect<Index, E, R> =>
    Effect.gen(function*() {
      const held: Array<Float32Array> = []
      yield* eachChunk(corpus, (vectors) => Effect.sync(() => void held.push(vectors)))
      const { chunks, dim } = corpus
      const read = (chunk: number) => Effect.succeed(held[chunk]!)
      return {
        generation,
        stats: statsOf(corpus),
        search: searchOf({ chunks, dim }, run, () => read),
        vectors: vectorsOf({ chunks, dim }, read)
      }
    })

/** In-memory indexes; none exists until one is built. */
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
