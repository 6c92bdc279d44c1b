/** Finding passages for questions, and learning to. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeadGradient, Diverged, type ParameterGroup, ProgramFailed } from "./Learning.ts"

/** Why a retriever does not find or learn. */
export class RetrieverError extends Schema.TaggedError<RetrieverError>()("RetrieverError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** `k` passages a question, best first: rows of the corpus (-1 for none) and their scores, both [questions, k]. */
export interface Ranked {
  readonly docs: Int32Array
  readonly scores: Float32Array
}

/** A retriever that can be asked. */
export class Retriever extends Context.Service<Retriever, {
  /** The best `k` passages of the index, as it was last refreshed. */
  readonly search: (questions: ReadonlyArray<string>, k: number) => Effect.Effect<Ranked, RetrieverError>
  /** Scores of given passages with the current weights: docs [questions, n] -> [questions, n]. */
  readonly score: (questions: ReadonlyArray<string>, docs: Int32Array) => Effect.Effect<Float32Array, RetrieverError>
  /** Encodes the corpus anew; the index's new generation. */
  readonly refresh: Effect.Effect<number, RetrieverError>
}>()("anamnesis/runtime/Retriever") {}

/** What the scores of a question's passages should be like. */
export type Objective =
  /** The first m of the passages by pairs, weights [questions, m, m]; the others only fix the scale (LLM-Rank). */
  | { readonly _tag: "Pairwise"; readonly m: number; readonly weights: Float32Array }
  /** All n passages by a distribution, target [questions, n]. */
  | { readonly _tag: "Listwise"; readonly target: Float32Array }

/** Questions with passages, and what the retriever should make of them. */
export interface RetrieverLesson {
  readonly questions: ReadonlyArray<string>
  /** [questions, n] */
  readonly docs: Int32Array
  readonly objective: Objective
}

/** A retriever that can be taught. */
export class RetrieverLearner extends Context.Service<RetrieverLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; the loss of each question. */
  readonly learn: (lesson: RetrieverLesson) => Effect.Effect<Float32Array, RetrieverError>
  /** Fails with `DeadGradient` where a group that should learn would not; moves nothing. */
  readonly gate: (lesson: RetrieverLesson) => Effect.Effect<ReadonlyMap<string, number>, RetrieverError>
}>()("anamnesis/runtime/RetrieverLearner") {}
