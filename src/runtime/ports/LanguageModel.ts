/** Language models: scoring, generation and training. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Chat } from "../../domain/Content.ts"
import type { Generation } from "../../domain/settings/generation.ts"
import { ImageError } from "./Images.ts"
import { DeadGradient, Diverged, type LossScale, type ParameterGroup, ProgramFailed } from "./Learning.ts"

/** A prompt and its continuation exceed the model's context even after the prompt is truncated. */
export class ContextOverflow extends Schema.TaggedError<ContextOverflow>()("ContextOverflow", {
  tokens: Schema.Int,
  limit: Schema.Int,
  prompt: Schema.String
}) {
  override get message(): string {
    return `A prompt and its answer take ${this.tokens} tokens; max_length is ${this.limit}: "${this.prompt}"`
  }
}

/** The model folder requires something unsupported, or its template fails on a text. */
export class ModelRefused extends Schema.TaggedError<ModelRefused>()("ModelRefused", {
  path: Schema.String,
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}${this.place ? `, ${this.place}` : ""}: ${this.reason}`
  }
}

/** Why a language model failed. */
export class LanguageModelError extends Schema.TaggedError<LanguageModelError>()("LanguageModelError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient, ContextOverflow, ModelRefused, ImageError])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** A row of token ids. */
export interface TokenRow {
  readonly ids: ArrayLike<number>
  /** 1 where a token is predicted from those before it in its example, else 0; 0 at the start of an example. */
  readonly learned: ArrayLike<number>
  /** The places at which examples begin, the first is 0; they do not attend to each other. */
  readonly starts: ArrayLike<number>
  /** References of its pictures, in order: as many of its ids stand for pictures as these have rows. */
  readonly pictures?: ReadonlyArray<string>
}

/** A generated token, and the text it completes, in whole characters. */
export interface Token {
  /** Index of the prompt. */
  readonly row: number
  readonly id: number
  readonly text: string
  /** Why generation stopped; `undefined` before the last token. */
  readonly finish: "eos" | "stop" | "length" | undefined
}

/**
 * How prompts write one text together: each is of a text and has a weight, and the text's next token is the one of greatest
 * Σ weight · logit over its prompts. `lockstep`: all of them are continued by that token. `positions`: each prompt is continued by its
 * own likeliest token, until that ends its text, and logits of the same place are summed (JOMED's release).
 */
export interface Fusion {
  /** The text of each prompt, from 0; a token's `row` is this. */
  readonly texts: ArrayLike<number>
  readonly weights: ArrayLike<number>
  readonly by: "lockstep" | "positions"
}

/** Options of generation. */
export interface WriteOptions {
  /** Maximum number of tokens per text. */
  readonly max_new_tokens: number
  /** Sampling key: another key gives other samples for the same prompts; "" by default. */
  readonly key?: string
  /** In place of the settings of how tokens are chosen and what ends a text. */
  readonly decoding?: Partial<Generation>
  /** Prompts that write a text together; without it each writes its own. Overlong ones that are skipped are left out of their text. */
  readonly fusion?: Fusion
}

/** How token likelihoods are reduced over a text. */
export type Reduction = "mean" | "sum"

/** Of texts' learned tokens besides their likelihoods, sums over those of each text. */
export interface TokenSums {
  /** Tokens than which none is likelier. */
  readonly correct: Float32Array
  /** Entropies of the predictions, in nats. */
  readonly entropy: Float32Array
  /** Means of the predictions' logits. */
  readonly logits: Float32Array
}

/** What a model says of texts. */
export interface Described extends TokenSums {
  /** As `logLikelihood`. */
  readonly logLikelihood: Float32Array
}

/** What a language model says of answers. */
export interface Verdicts<E = LanguageModelError> {
  /** Mean negative log-likelihood of each continuation given its prompt, including the eos token, in nats per token. */
  readonly nll: (
    prompts: ReadonlyArray<Chat>,
    continuations: ReadonlyArray<string>
  ) => Effect.Effect<Float32Array, E>
  /**
   * How much each part of a prompt that yields is attended to while the continuation is predicted, [prompt][part]: attention times
   * the Euclidean norm of the value, summed over the part's tokens, mean over layers, heads and the continuation's tokens with eos
   * (Atlas's ADist, of a decoder). A part that did not fit has 0.
   */
  readonly attention: (
    prompts: ReadonlyArray<Chat>,
    continuations: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Float32Array>, E>
}

/** A language model for inference. Pictures of prompts come from port `Images`; a model that reads none refuses them. */
export class LanguageModel extends Context.Service<
  LanguageModel,
  Verdicts & {
    /**
     * Negative log-likelihoods of several independent continuations per prompt, with the eos token after each unless they
     * are `open`. Empty for overlong prompts if these are to be skipped.
     */
    readonly rank: (
      prompts: ReadonlyArray<Chat>,
      continuations: ReadonlyArray<ReadonlyArray<string>>,
      reduction: Reduction,
      end?: "eos" | "open"
    ) => Effect.Effect<ReadonlyArray<Float32Array>, LanguageModelError>
    /**
     * Generates texts, token by token. Samples depend on the prompt, the key and the seed, not on the other prompts.
     * Nothing for overlong prompts if these are to be skipped.
     */
    readonly write: (prompts: ReadonlyArray<Chat>, options: WriteOptions) => Stream.Stream<Token, LanguageModelError>
    /** Log-likelihood of each text's learned tokens given those before them: their sum, in nats. */
    readonly logLikelihood: (texts: ReadonlyArray<TokenRow>) => Effect.Effect<Float32Array, LanguageModelError>
    /** The same with what else is told of these tokens, at the cost of more passes over the logits. */
    readonly describe: (texts: ReadonlyArray<TokenRow>) => Effect.Effect<Described, LanguageModelError>
  }
>()("anamnesis/runtime/LanguageModel") {}

/** The number of parts of a chat that yield. */
export const yielding = (chat: Chat): number =>
  chat.reduce((sum, { content }) => sum + content.filter((part) => part.yields).length, 0)

/** Prompts and their target continuations. */
export interface LanguageModelLesson {
  readonly prompts: ReadonlyArray<Chat>
  readonly continuations: ReadonlyArray<string>
}

/** Rows of tokens, and over what the loss is averaged: all learned tokens, or examples whose tokens count alike. */
export interface TokenLesson {
  readonly rows: ReadonlyArray<TokenRow>
  readonly average: "token" | "example"
}

/** Pairs of texts with the same beginning, the first preferred, and their log-likelihoods under a reference. */
export interface PreferenceLesson {
  /** In turn the chosen and the rejected text of each pair; what is learned of them are the answers. */
  readonly pairs: ReadonlyArray<readonly [chosen: TokenRow, rejected: TokenRow]>
  /** Sums over the answers in nats, [pairs, 2]. */
  readonly reference: Float32Array
}

/** What one update of a language model learns from. */
export type AnyLesson = LanguageModelLesson | TokenLesson | PreferenceLesson

/** What an update tells of each row: its loss in nats per token, and of its tokens before the update if asked for. */
export interface Learned {
  readonly loss: Float32Array
  readonly tokens?: TokenSums
}

/** What an update tells of each pair: its loss, and log-likelihoods of both answers before the update. */
export interface Preferred {
  readonly loss: Float32Array
  readonly chosen: Float32Array
  readonly rejected: Float32Array
  /** Of the answers' tokens, if asked for: [pairs, 2], the chosen and the rejected. */
  readonly tokens?: TokenSums
}

/** A trainable language model. */
export class LanguageModelLearner extends Context.Service<LanguageModelLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; returns the loss of each continuation, in nats per token. */
  readonly learn: (lesson: LanguageModelLesson) => Effect.Effect<Float32Array, LanguageModelError>
  /** One update on rows of tokens. */
  readonly learnTokens: (lesson: TokenLesson) => Effect.Effect<Learned, LanguageModelError>
  /** One update on preferences. */
  readonly prefer: (lesson: PreferenceLesson) => Effect.Effect<Preferred, LanguageModelError>
  /** Successive updates, one per lesson, in one program; returns the losses of each. If absent, `learn` is used. */
  readonly learnSeveral?: (
    lessons: ReadonlyArray<LanguageModelLesson>
  ) => Effect.Effect<ReadonlyArray<Float32Array>, LanguageModelError>
  /** The same for rows of tokens; if absent, `learnTokens` is used. */
  readonly learnTokensSeveral?: (
    lessons: ReadonlyArray<TokenLesson>
  ) => Effect.Effect<ReadonlyArray<Learned>, LanguageModelError>
  /**
   * The model as verdicts of a step are to have it, some updates ago; absent where they use the weights of the last update. The
   * steps of a run ask in order.
   */
  readonly earlier?: (step: number) => Effect.Effect<Verdicts>
  /** The loss scale, if there is one; an update that is skipped returns its losses, which may be infinite or NaN. */
  readonly lossScale?: () => LossScale
  /**
   * Preflight gradient check: the gradient norm of each trainable group, by label. Fails with `DeadGradient` if one is
   * not finite. Updates nothing.
   */
  readonly gate: (lesson: AnyLesson) => Effect.Effect<ReadonlyMap<string, number>, LanguageModelError>
}>()("anamnesis/runtime/LanguageModelLearner") {}

/** No model: all texts are equally likely, and nothing is generated. */
export const none: Layer.Layer<LanguageModel> = Layer.succeed(LanguageModel, {
  nll: (prompts) => Effect.succeed(new Float32Array(prompts.length)),
  attention: (prompts) => Effect.succeed(prompts.map((chat) => new Float32Array(yielding(chat)))),
  rank: (prompts) => Effect.succeed(prompts.map(() => new Float32Array(0))),
  write: () => Stream.empty,
  logLikelihood: (texts) => Effect.succeed(new Float32Array(texts.length)),
  describe: (texts) => {
    const none = () => new Float32Array(texts.length)
    return Effect.succeed({ logLikelihood: none(), correct: none(), entropy: none(), logits: none() })
  }
})

/** A learner for language models that are not trained. */
export const learnsNothing: Layer.Layer<LanguageModelLearner> = Layer.succeed(LanguageModelLearner, {
  groups: [],
  learn: ({ prompts }) => Effect.succeed(new Float32Array(prompts.length)),
  learnTokens: ({ rows }) => Effect.succeed({ loss: new Float32Array(rows.length) }),
  prefer: ({ pairs }) => {
    const none = () => new Float32Array(pairs.length)
    return Effect.succeed({ loss: none(), chosen: none(), rejected: none() })
  },
  gate: () => Effect.succeed(new Map())
})

/** No model, for inference or training. */
export const absent: Layer.Layer<LanguageModel | LanguageModelLearner> = Layer.merge(none, learnsNothing)
