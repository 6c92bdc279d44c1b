/** What the runs of an experiment share of a retriever: its first index, and what a frozen one finds and scores. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Retrieval, retrieval } from "../../../domain/settings/retrieval.ts"
import { sha256Of } from "../../files/disk.ts"
import type { PassageVectors, Ranked } from "../../ports/PassageIndex.ts"
import { Shared, type Wanted } from "../../ports/Shared.ts"
import { sizeOf } from "../indexes/search.ts"

const bytesOf = (array: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

const floats = (bytes: Uint8Array, length: number): Float32Array | undefined =>
  bytes.byteLength === 4 * length ? new Float32Array(bytes.slice().buffer) : undefined

/** Settings of retrieval that decide how often an index is built, or where it lies, not what is in it. */
const later: ReadonlySet<string> = new Set(["refresh_index", "index_path", "index_in_memory"])

/** The settings of retrieval that decide how texts are read. */
export const readingOf = (settings: Retrieval): ReadonlyArray<readonly [name: string, value: unknown]> =>
  Object.entries(settings).filter(([name]) => Object.hasOwn(retrieval, name) && !later.has(name))

/** Vectors of a corpus, from those that another run left if it did; `of` is all that they depend on besides the corpus. */
export const sharedVectors = Effect.fnUntraced(function*<E, R>(corpus: PassageVectors<E, R>, of: () => unknown) {
  const shared = yield* Shared
  const { chunks, dim } = corpus
  if (!shared.on) return corpus
  const sizes = chunks.map((chunk) => sizeOf(chunk, dim))
  const size = sizes.reduce((sum, own) => sum + own, 0)
  const shape = sha256Of(chunks.map(({ docs, length, rows }) => `${rows} ${length} ${docs.join()}\n`))
  const wanted: Wanted<Float32Array> = {
    kind: "index",
    of: [of(), dim, shape],
    readings: chunks.reduce((sum, { docs }) => sum + docs.length, 0),
    bytes: bytesOf,
    value: (bytes) => floats(bytes, size)
  }
  const computed = Effect.gen(function*() {
    const all = new Float32Array(size)
    let at = 0
    yield* Stream.runForEach(corpus.vectors, (own) =>
      Effect.sync(() => {
        all.set(own, at)
        at += own.length
      }))
    return all
  })
  /** An array for each chunk, in order. */
  const parted = (all: Float32Array) => {
    let at = 0
    return sizes.map((own) => all.subarray(at, at += own))
  }
  const vectors = Stream.unwrap(
    Effect.map(shared.value(wanted, computed), (all) => Stream.fromIterable(parted(all)))
  )
  return { ...corpus, vectors } satisfies PassageVectors<E, R> as PassageVectors<E, R>
})

/** The first passages of queries, and scores of given passages. */
export interface Finding<E, F> {
  readonly search: (queries: ReadonlyArray<string>, k: number) => Effect.Effect<Ranked, E>
  readonly score: (queries: ReadonlyArray<string>, docs: Int32Array) => Effect.Effect<Float32Array, F>
}

/** A retriever's model. */
export interface Found<E, F> extends Finding<E, F> {
  /** Builds the index, if there is none: what a checkpoint says of it must not depend on what was shared. */
  readonly first: Effect.Effect<void, E>
  /** All that vectors and scores depend on besides the texts. */
  readonly identity: () => unknown
}

/**
 * The same of a retriever that nothing changes, whose results are shared batch by batch: a query's vectors depend on its batch
 * in the last bit.
 */
export const sharedFinding = Effect.fnUntraced(function*<E, F>({ first, identity, score, search }: Found<E, F>) {
  const shared = yield* Shared
  if (!shared.on) return { score, search } satisfies Finding<E, F> as Finding<E, F>
  let known: unknown
  const dependsOn = () => known ??= identity()
  return {
    search: (queries, k) => {
      const size = queries.length * k
      const wanted: Wanted<Ranked> = {
        kind: "candidates",
        of: [dependsOn(), k, queries],
        readings: queries.length,
        bytes: ({ docs, scores }) => Buffer.concat([bytesOf(docs), bytesOf(scores)]),
        value: (bytes) => {
          const all = floats(bytes, 2 * size)
          return all && { docs: new Int32Array(all.buffer, 0, size), scores: all.subarray(size) }
        }
      }
      return Effect.andThen(first, shared.value(wanted, search(queries, k)))
    },
    score: (queries, docs) => {
      const wanted: Wanted<Float32Array> = {
        kind: "scores",
        of: [dependsOn(), queries, sha256Of([bytesOf(docs)])],
        readings: queries.length + new Set(docs).size,
        bytes: bytesOf,
        value: (bytes) => floats(bytes, docs.length)
      }
      return shared.value(wanted, score(queries, docs))
    }
  } satisfies Finding<E, F> as Finding<E, F>
})
