/** Retrieval and its training. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Content } from "../../domain/Content.ts"
import { CorpusError } from "./Corpus.ts"
import { ImageError } from "./Images.ts"
import { DeadGradient, Diverged, Indifferent, type LossScale, type ParameterGroup, ProgramFailed } from "./Learning.ts"
import { IndexError, type Ranked } from "./PassageIndex.ts"

export type { Ranked } from "./PassageIndex.ts"

/** Why a retriever failed. */
export class RetrieverError extends Schema.TaggedError<RetrieverError>()("RetrieverError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient, Indifferent, CorpusError, IndexError, ImageError])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** A retriever for inference. Retrievers of texts leave out a query's pictures, and tell so once. */
export class Retriever extends Context.Service<Retriever, {
  /**
   * The best `k` passages per query: queries are encoded with the current weights, passages as of the last refresh; or, in a
   * retriever of pictures that learns, queries as of the last snapshot. `groups`: each query's group, whose passages retrievers of
   * pictures do not find.
   */
  readonly search: (
    queries: ReadonlyArray<Content>,
    k: number,
    groups?: ReadonlyArray<string>
  ) => Effect.Effect<Ranked, RetrieverError>
  /** Of a retriever with several heads, the best `k` of each, head after head: [queries, heads · k]. */
  readonly searchEach?: (
    queries: ReadonlyArray<Content>,
    k: number,
    groups?: ReadonlyArray<string>
  ) => Effect.Effect<Ranked, RetrieverError>
  /**
   * Scores of given passages with the current weights: docs [queries, n], corpus rows -> [queries, n]. Row -1 (none)
   * scores -Infinity; any other row out of range is a bug.
   */
  readonly score: (queries: ReadonlyArray<Content>, docs: Int32Array) => Effect.Effect<Float32Array, RetrieverError>
  /** Re-encodes the corpus if the weights may have changed; returns the index's generation, 0 if it has none. */
  readonly refresh: Effect.Effect<number, RetrieverError>
}>()("anamnesis/runtime/Retriever") {}

/** The training objective for a query's passages. */
export type Objective =
  /** Pairwise over the first m passages, weights [queries, m, m]; the others only set the scale (LLM-Rank). */
  | { readonly _tag: "Pairwise"; readonly m: number; readonly weights: Float32Array }
  /**
   * Listwise over all n passages, target distribution [queries, n]; row -1 is no candidate, and has the target 0. With
   * `askers`, the queries are ranked for each query's first positive, too, and the loss is the mean of both directions:
   * [queries, queries], 1 where a query is a candidate for the positive of another. `own`, [queries, n], is 1 where a passage is
   * one of the query's own, which losses that weigh negatives ask for.
   */
  | {
    readonly _tag: "Listwise"
    readonly target: Float32Array
    readonly askers?: Uint8Array
    readonly own?: Uint8Array
  }
  /** Margins of the first passage over each of the others, as in a teacher's scores [queries, n]; row -1 is none (MarginMSE). */
  | { readonly _tag: "Margins"; readonly scores: Float32Array }

/** Queries with passages, and the objective for their scores. */
export interface RetrieverLesson {
  readonly queries: ReadonlyArray<Content>
  /** Corpus rows, [queries, n]. */
  readonly docs: Int32Array
  readonly objective: Objective
}

/** A trainable retriever. */
export class RetrieverLearner extends Context.Service<RetrieverLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; returns the loss of each query. */
  readonly learn: (lesson: RetrieverLesson) => Effect.Effect<Float32Array, RetrieverError>
  /** Successive updates, one per lesson, in one program; returns the losses of each. If absent, `learn` is used. */
  readonly learnSeveral?: (
    lessons: ReadonlyArray<RetrieverLesson>
  ) => Effect.Effect<ReadonlyArray<Float32Array>, RetrieverError>
  /** The loss scale, if there is one; an update that is skipped returns its losses, which may be infinite or NaN. */
  readonly lossScale?: () => LossScale
  /**
   * Preflight gradient check: the gradient norm of each trainable group, by label. Fails with `DeadGradient` if one is
   * not finite. Updates nothing.
   */
  readonly gate: (lesson: RetrieverLesson) => Effect.Effect<ReadonlyMap<string, number>, RetrieverError>
}>()("anamnesis/runtime/RetrieverLearner") {}
