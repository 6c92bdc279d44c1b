/** Program: writes the passage vectors to disk, so that searches can start at once. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { retrieverOf } from "../domain/settings/models.ts"
import type { RunConfig } from "../domain/settings/RunConfig.ts"
import { Corpus } from "../runtime/ports/Corpus.ts"
import { type IndexStats, PassageIndex } from "../runtime/ports/PassageIndex.ts"
import { Reporter } from "../runtime/ports/Reporter.ts"
import { Retriever } from "../runtime/ports/Retriever.ts"
import * as Stored from "../runtime/retrieval/indexes/stored.ts"
import * as retriever from "../runtime/retrieval/retriever.ts"
import { modeOf } from "../systems/all.ts"

/** Statistics of a written index. */
export interface Embedded {
  readonly folder: string
  readonly passages: number
  readonly dim: number
  readonly seconds: number
}

/** Reports progress while an index is built, and its size at the end. */
export const watched = (
  encoded: (passages: number) => Effect.Effect<void>,
  built: (stats: IndexStats) => Effect.Effect<void>
) =>
  Layer.effect(
    PassageIndex,
    Effect.map(PassageIndex, ({ build, open }) =>
      PassageIndex.of({
        open,
        build: (generation, origin, { chunks, dim, vectors }) => {
          const ends = chunks.map(((passages) => ({ docs }) => passages += docs.length)(0))
          const seen = Stream.zipWithIndex(vectors).pipe(
            Stream.tap(([, chunk]) => encoded(ends[chunk]!)),
            Stream.map(([own]) => own)
          )
          return Effect.tap(build(generation, origin, { chunks, dim, vectors: seen }), ({ stats }) => built(stats))
        }
      }))
  )

/** Writes the index of the configured retriever and corpus, replacing the folder's previous index. */
export const embed = Effect.fn("embed")(function*(c: RunConfig, folder: string) {
  const [{ size }, reporter] = [yield* Corpus, yield* Reporter]
  const began = yield* Clock.currentTimeMillis
  const elapsed = Effect.map(Clock.currentTimeMillis, (now) => (now - began) / 1000)
  const shown = { task: "embed", total: size, start: 0, unit: "passages", each: 1, figures: {} }
  const report = (done: number) => Effect.flatMap(elapsed, (seconds) => reporter.report({ ...shown, done, seconds }))
  let stats: IndexStats | undefined
  const into = (own: string) =>
    watched(report, (own) => Effect.sync(() => void (stats = own))).pipe(Layer.provide(Stored.into(own, { memory: 0 })))
  const settings = { model: retrieverOf(c), training: c, retrieval: c }
  const layer = modeOf(c).embeds?.((head) => into(join(folder, head)))
    ?? retriever.over(settings).pipe(Layer.provide(into(folder)))
  /** A search for nothing builds what a refresh, of vectors that never change, does not. */
  const building = Effect.flatMap(Retriever, ({ refresh, search }) => Effect.andThen(search([], 1), refresh))
  yield* Effect.provide(building, layer)
  const seconds = yield* elapsed
  return { folder, passages: stats!.passages, dim: stats!.dim, seconds } satisfies Embedded as Embedded
})
