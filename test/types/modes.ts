/** Modes are layers: what a mode cannot do does not compile. Nothing here runs. */
// @effect-diagnostics missingEffectContext:off -- plain tsc refuses the same lines, and is told to expect it
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type { Epochs } from "../../src/datasets/batches.ts"
import type * as Frame from "../../src/domain/Frame.ts"
import type { Question } from "../../src/domain/tables.ts"
import { train } from "../../src/programs/train.ts"
import type { Session } from "../../src/runtime/engine/Session.ts"
import type { Checkpoints } from "../../src/runtime/ports/Checkpoints.ts"
import type { Corpus } from "../../src/runtime/ports/Corpus.ts"
import type { LanguageModel, LanguageModelLearner } from "../../src/runtime/ports/LanguageModel.ts"
import type { Reporter } from "../../src/runtime/ports/Reporter.ts"
import type { Retriever, RetrieverLearner } from "../../src/runtime/ports/Retriever.ts"
import type { AnswerOptions } from "../../src/stages/answer.ts"
import { answerOne, distilled, llmRanked, oracle, type StudyOptions } from "../../src/stages/pipelines.ts"
import * as modes from "../../src/systems/jmlr/layers.ts"
import type { JmlrConfig } from "../../src/systems/jmlr/settings.ts"
import type { Equals } from "./equals.ts"

declare const options: StudyOptions & AnswerOptions
declare const questions: Frame.Frame<typeof Question>
declare const epochs: Epochs
declare const config: JmlrConfig

/** Runs what needs no more than a mode leaves open: data, provider, files. */
declare const run: <A, E>(
  effect: Effect.Effect<A, E, Corpus | Session | Checkpoints | Reporter | FileSystem.FileSystem>
) => void

export const learning = () => {
  run(llmRanked(options).learn(questions).pipe(Effect.provide(modes.joint(config))))
  run(llmRanked(options).gate(questions).pipe(Effect.provide(modes.frozenRag(config))))
  run(distilled(options).learn(questions).pipe(Effect.provide(modes.bm25Rag(config))))
  run(oracle(1, 2, 3, options).learn(questions).pipe(Effect.provide(modes.noRetrieval(config))))
  run(train(config, epochs, { resume: false }).pipe(Effect.provide(modes.joint(config))))
}

export const underInference = () => {
  run(answerOne(options).stage.run(questions).pipe(Effect.provide(modes.inference(config))))
  // @ts-expect-error: neither learner is there
  run(llmRanked(options).learn(questions).pipe(Effect.provide(modes.inference(config))))
  // @ts-expect-error: nor can they be asked for a gradient
  run(llmRanked(options).gate(questions).pipe(Effect.provide(modes.inference(config))))
  // @ts-expect-error: nor is there a reader that learns from gold passages
  run(oracle(1, 2, 3, options).learn(questions).pipe(Effect.provide(modes.inference(config))))
  // @ts-expect-error: nor one without passages
  run(oracle(1, 2, 3, options).learn(questions).pipe(Effect.provide(modes.closedBook(config))))
  // @ts-expect-error: nor can the whole program run
  run(train(config, epochs, { resume: false }).pipe(Effect.provide(modes.inference(config))))
}

type Given<L> = L extends (c: JmlrConfig) => Layer.Layer<infer A, any, any> ? A : never
type Both = Retriever | RetrieverLearner | LanguageModel | LanguageModelLearner

export const given: readonly [
  Equals<Given<typeof modes.joint>, Both>,
  Equals<Given<typeof modes.frozenRag>, Both>,
  Equals<Given<typeof modes.bm25Rag>, Both>,
  Equals<Given<typeof modes.noRetrieval>, Both>,
  Equals<Given<typeof modes.retrieverOnly>, Both>,
  Equals<Given<typeof modes.inference>, Retriever | LanguageModel>
] = [true, true, true, true, true, true]
