/** Builds and opens indexes: the vectors of a corpus, searched by late interaction. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ProgramFailed } from "./Learning.ts"

/** An index cannot be read or written, or is invalid. */
export class IndexError extends Schema.TaggedError<IndexError>()("IndexError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/**
 * The best `k` passages per query, best first: corpus rows and scores, both [queries, k], padded with -1 and -Infinity.
 */
export interface Ranked {
  readonly docs: Int32Array
  readonly scores: Float32Array
}

/** A batch of passages that are indexed together. */
export interface Chunk {
  /** Their corpus rows. */
  readonly docs: Int32Array
  /** Passages in the chunk, including padding. */
  readonly rows: number
  /** Vectors per passage. */
  readonly length: number
}

/**
 * The vectors of a corpus. The chunks are known in advance, and with them the size of the index. A chunk's vectors are
 * [rows, length, dim]; padding vectors repeat one of the passage's own, which does not change MaxSim.
 */
export interface PassageVectors<E, R> {
  readonly dim: number
  /** Every corpus row once. */
  readonly chunks: ReadonlyArray<Chunk>
  /** One array per chunk, in order. */
  readonly vectors: Stream.Stream<Float32Array, E, R>
}

/** Query vectors: [at least `count`, length, dim]. */
export interface QueryVectors {
  readonly count: number
  readonly length: number
  readonly vectors: Float32Array
}

/** An immutable index. */
export interface Index {
  /** 1 for the first index, incremented by each build. */
  readonly generation: number
  readonly stats: IndexStats
  /**
   * The best passages by MaxSim: the sum over query vectors of the maximum dot product with a passage vector. Ties are
   * ordered by row; padded with -1 and -Infinity if there are fewer than `k` passages.
   */
  readonly search: (queries: QueryVectors, k: number) => Effect.Effect<Ranked, IndexError | ProgramFailed>
  /** The first vector of each of some passages, [docs, dim]: the only one where passages have one; zeros for row -1. */
  readonly vectors: (docs: ArrayLike<number>) => Effect.Effect<Float32Array, IndexError>
}

/** Size of an index. */
export interface IndexStats {
  readonly passages: number
  /** Stored vectors, including padding. */
  readonly vectors: number
  readonly dim: number
  readonly bytes: number
}

/** The corpus and the weights that an index is built from. */
export interface Origin {
  /** SHA-256 of the corpus. */
  readonly corpus: string
  /** SHA-256 of the weights that compute the vectors; computed on demand. */
  readonly weights: () => string
}

/** An index can be searched until the scope that it was opened or built in ends. */
export class PassageIndex extends Context.Service<PassageIndex, {
  /**
   * Opens the existing index; `undefined` if there is none. Fails if it was built from another corpus or other weights.
   */
  readonly open: (origin: Origin) => Effect.Effect<Index | undefined, IndexError, Scope.Scope>
  /** Builds the next generation. Earlier ones remain searchable during and after the build. */
  readonly build: <E, R>(
    generation: number,
    origin: Origin,
    corpus: PassageVectors<E, R>
  ) => Effect.Effect<Index, E | IndexError, R | Scope.Scope>
}>()("anamnesis/runtime/PassageIndex") {}
