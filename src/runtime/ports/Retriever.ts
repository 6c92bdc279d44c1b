/** Finding passages for queries, and learning to. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Content } from "../../domain/Content.ts"
import { CorpusError } from "./Corpus.ts"
import { DeadGradient, Diverged, type ParameterGroup, ProgramFailed } from "./Learning.ts"
import { IndexError, type Ranked } from "./PassageIndex.ts"

export type { Ranked } from "./PassageIndex.ts"

/** Why a retriever does not find or learn. */
export class RetrieverError extends Schema.TaggedError<RetrieverError>()("RetrieverError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient, CorpusError, IndexError])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** A retriever that can be asked. */
export class Retriever extends Context.Service<Retriever, {
  /** The best `k` passages for each query, read with the current weights, of the index as it was last refreshed. */
  readonly search: (queries: ReadonlyArray<Content>, k: number) => Effect.Effect<Ranked, RetrieverError>
  /**
   * Scores of given passages with the current weights: docs [queries, n], rows of the corpus -> [queries, n]. -1 for none
   * scores -Infinity; to ask for another row that is none is a bug.
   */
  readonly score: (queries: ReadonlyArray<Content>, docs: Int32Array) => Effect.Effect<Float32Array, RetrieverError>
  /** Encodes the corpus anew, where the weights may have changed; the index's generation, 0 where there is none. */
  readonly refresh: Effect.Effect<number, RetrieverError>
}>()("anamnesis/runtime/Retriever") {}

/** What the scores of a query's passages should be like. */
export type Objective =
  /** The first m of the passages by pairs, weights [queries, m, m]; the others only fix the scale (LLM-Rank). */
  | { readonly _tag: "Pairwise"; readonly m: number; readonly weights: Float32Array }
  /** All n passages by a distribution, target [queries, n]. */
  | { readonly _tag: "Listwise"; readonly target: Float32Array }

/** Questions with passages, and what the retriever should make of them. */
export interface RetrieverLesson {
  readonly queries: ReadonlyArray<Content>
  /** [queries, n] */
  readonly docs: Int32Array
  readonly objective: Objective
}

/** A retriever that can be taught. */
export class RetrieverLearner extends Context.Service<RetrieverLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; the loss of each query. */
  readonly learn: (lesson: RetrieverLesson) => Effect.Effect<Float32Array, RetrieverError>
  /**
   * One update after the other, each by the lesson in its place, as one program; the losses of each. Where it is left
   * out, `learn` makes them.
   */
  readonly learnSeveral?: (
    lessons: ReadonlyArray<RetrieverLesson>
  ) => Effect.Effect<ReadonlyArray<Float32Array>, RetrieverError>
  /** Fails with `DeadGradient` where a group that should learn would not; moves nothing. */
  readonly gate: (lesson: RetrieverLesson) => Effect.Effect<ReadonlyMap<string, number>, RetrieverError>
}>()("anamnesis/runtime/RetrieverLearner") {}
