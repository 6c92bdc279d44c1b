/** A language model: how likely it finds texts, what it writes; and teaching it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Chat } from "../../domain/Content.ts"
import { DeadGradient, Diverged, type ParameterGroup, ProgramFailed } from "./Learning.ts"

/** A prompt and its continuation exceed the model's context, whatever may be left out of the prompt. */
export class ContextOverflow extends Schema.TaggedError<ContextOverflow>()("ContextOverflow", {
  tokens: Schema.Int,
  limit: Schema.Int,
  prompt: Schema.String
}) {
  override get message(): string {
    return `A prompt and its answer take ${this.tokens} tokens; max_length is ${this.limit}: "${this.prompt}"`
  }
}

/** The model folder asks for what cannot be done: a template that fails on a text, a way to write. */
export class ModelRefused extends Schema.TaggedError<ModelRefused>()("ModelRefused", {
  path: Schema.String,
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}${this.place ? `, ${this.place}` : ""}: ${this.reason}`
  }
}

/** Why a language model does not answer or learn. */
export class LanguageModelError extends Schema.TaggedError<LanguageModelError>()("LanguageModelError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient, ContextOverflow, ModelRefused])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** A token of a text that is being written, and the text that it makes certain: whole characters. */
export interface Token {
  /** Whose text, by place. */
  readonly row: number
  readonly id: number
  readonly text: string
  /** Why the text ends here, where it does. */
  readonly finish: "eos" | "stop" | "length" | undefined
}

/** How a text is written. */
export interface WriteOptions {
  /** Tokens of a text, at most. */
  readonly max_new_tokens: number
  /** Under another key other texts are drawn of the same prompts; "" where it is left out. */
  readonly key?: string
}

/** How the likelihoods of a text's tokens become one number. */
export type Reduction = "mean" | "sum"

/** A language model that can be asked. */
export class LanguageModel extends Context.Service<LanguageModel, {
  /** Mean negative log-likelihood of each prompt's continuation and of the token that ends it, in nats a token. */
  readonly nll: (
    prompts: ReadonlyArray<Chat>,
    continuations: ReadonlyArray<string>
  ) => Effect.Effect<Float32Array, LanguageModelError>
  /**
   * The negative log-likelihoods of several continuations of each prompt, each by itself. None of a prompt that is too long
   * where such prompts are to be skipped.
   */
  readonly rank: (
    prompts: ReadonlyArray<Chat>,
    continuations: ReadonlyArray<ReadonlyArray<string>>,
    reduction: Reduction
  ) => Effect.Effect<ReadonlyArray<Float32Array>, LanguageModelError>
  /**
   * Texts, token by token. What is drawn depends on the prompt, the key and the seed, not on the prompts beside it. Nothing of
   * a prompt that is too long where such prompts are to be skipped.
   */
  readonly write: (prompts: ReadonlyArray<Chat>, options: WriteOptions) => Stream.Stream<Token, LanguageModelError>
}>()("anamnesis/runtime/LanguageModel") {}

/** Prompts, and what the model should go on with. */
export interface LanguageModelLesson {
  readonly prompts: ReadonlyArray<Chat>
  readonly continuations: ReadonlyArray<string>
}

/** A language model that can be taught. */
export class LanguageModelLearner extends Context.Service<LanguageModelLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; the loss of each continuation, in nats a token. */
  readonly learn: (lesson: LanguageModelLesson) => Effect.Effect<Float32Array, LanguageModelError>
  /**
   * One update after the other, each by the lesson in its place, as one program; the losses of each. Where it is left
   * out, `learn` makes them.
   */
  readonly learnSeveral?: (
    lessons: ReadonlyArray<LanguageModelLesson>
  ) => Effect.Effect<ReadonlyArray<Float32Array>, LanguageModelError>
  /** The gradient norm of every group that is trained, by its label; moves nothing. */
  readonly gate: (lesson: LanguageModelLesson) => Effect.Effect<ReadonlyMap<string, number>, LanguageModelError>
}>()("anamnesis/runtime/LanguageModelLearner") {}

/** No model: every text is as likely as any other, and none is written. */
export const none: Layer.Layer<LanguageModel> = Layer.succeed(LanguageModel, {
  nll: (prompts) => Effect.succeed(new Float32Array(prompts.length)),
  rank: (prompts) => Effect.succeed(prompts.map(() => new Float32Array(0))),
  write: () => Stream.empty
})

/** No model, and nothing is learned. */
export const absent: Layer.Layer<LanguageModel | LanguageModelLearner> = Layer.merge(
  none,
  Layer.succeed(LanguageModelLearner, {
    groups: [],
    learn: ({ prompts }) => Effect.succeed(new Float32Array(prompts.length)),
    gate: () => Effect.succeed(new Map())
  })
)
