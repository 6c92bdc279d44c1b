/** Where the index of a corpus is made and kept: the vectors of its passages, searched by late interaction. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ProgramFailed } from "./Learning.ts"

/** An index cannot be written, read or believed. */
export class IndexError extends Schema.TaggedError<IndexError>()("IndexError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** `k` passages a query, best first: rows of the corpus and their scores, both [queries, k]; behind the last -1 and -Infinity. */
export interface Ranked {
  readonly docs: Int32Array
  readonly scores: Float32Array
}

/** Passages that are indexed together. */
export interface Chunk {
  /** Their rows of the corpus. */
  readonly docs: Int32Array
  /** Passages that there are vectors of: those, and what fills the chunk up. */
  readonly rows: number
  /** Vectors of each. */
  readonly length: number
}

/**
 * A corpus as vectors. How it is cut into chunks is known before the first vector is, so that it is known what the index
 * will take. Each chunk's vectors are [rows, length, dim]; those beyond a passage's own repeat one of its own, which
 * leaves every maximum as it is.
 */
export interface PassageVectors<E, R> {
  readonly dim: number
  /** Every row of the corpus once. */
  readonly chunks: ReadonlyArray<Chunk>
  /** In the order of the chunks. */
  readonly vectors: Stream.Stream<Float32Array, E, R>
}

/** The vectors of some queries: [at least `count`, length, dim]. */
export interface QueryVectors {
  readonly count: number
  readonly length: number
  readonly vectors: Float32Array
}

/** An index, which stays as it is. */
export interface Index {
  /** How many there have been before, and 1. */
  readonly generation: number
  readonly stats: IndexStats
  /**
   * The best passages by MaxSim: the sum over a query's vectors of the greatest product with one of the passage's. Equal
   * scores are in order of rows; behind the last passage there are -1 and -Infinity.
   */
  readonly search: (queries: QueryVectors, k: number) => Effect.Effect<Ranked, IndexError | ProgramFailed>
}

/** What an index holds. */
export interface IndexStats {
  readonly passages: number
  /** As they are stored, those that fill chunks up included. */
  readonly vectors: number
  readonly dim: number
  readonly bytes: number
}

/** What an index is an index of. */
export interface Origin {
  /** SHA-256 of the corpus. */
  readonly corpus: string
  /** SHA-256 of the weights that make the vectors; worked out where it is wanted. */
  readonly weights: () => string
}

/** An index can be searched until the scope that it was opened or built in ends. */
export class PassageIndex extends Context.Service<PassageIndex, {
  /** The index that there is already; none where there is none. Fails where it is one of something else. */
  readonly open: (origin: Origin) => Effect.Effect<Index | undefined, IndexError, Scope.Scope>
  /** Makes the next generation. What was built before can be searched until it is there, and after. */
  readonly build: <E, R>(
    generation: number,
    origin: Origin,
    corpus: PassageVectors<E, R>
  ) => Effect.Effect<Index, E | IndexError, R | Scope.Scope>
}>()("anamnesis/runtime/PassageIndex") {}
