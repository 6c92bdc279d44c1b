/** Answering questions from passages, and learning to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DeadGradient, Diverged, type ParameterGroup, ProgramFailed } from "./Learning.ts"

/** A question and its answer alone exceed the reader's context. */
export class ContextOverflow extends Schema.TaggedError<ContextOverflow>()("ContextOverflow", {
  tokens: Schema.Int,
  limit: Schema.Int,
  question: Schema.String
}) {
  override get message(): string {
    return `A question and its answer take ${this.tokens} tokens; max_length is ${this.limit}: "${this.question}"`
  }
}

/** The reader's model folder asks for what cannot be done: a template that fails on a text, a way to write. */
export class ModelRefused extends Schema.TaggedError<ModelRefused>()("ModelRefused", {
  path: Schema.String,
  place: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}${this.place ? `, ${this.place}` : ""}: ${this.reason}`
  }
}

/** Why a reader does not answer or learn. */
export class ReaderError extends Schema.TaggedError<ReaderError>()("ReaderError", {
  reason: Schema.Union([ProgramFailed, Diverged, DeadGradient, ContextOverflow, ModelRefused])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** Questions as the reader is asked them; `options` is empty where the answer is free. */
export interface Asked {
  readonly questions: ReadonlyArray<string>
  readonly options: ReadonlyArray<ReadonlyArray<string>>
}

/** Questions with their answers and passages. */
export interface ReaderLesson extends Asked {
  readonly answers: ReadonlyArray<string>
  /** Passages in the order of the prompt, best last: [questions, c]. */
  readonly context: Int32Array
}

/**
 * What the reader chose: a text, and the place of the option; and the text that it wrote and the choice was taken from,
 * empty where there is none or it is the choice itself. The place is -1 where the answer is free, where what was written
 * names no option, and where the question was too long to be asked (`excess_length: skip`); its text is then empty.
 */
export interface Chosen {
  readonly texts: ReadonlyArray<string>
  readonly indices: Int32Array
  readonly written: ReadonlyArray<string>
}

/** Questions to write about: their answers, or an explanation of the answers given. */
export interface ToWrite extends Asked {
  readonly context: Int32Array
  readonly explain?: ReadonlyArray<string>
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

/** The whole texts of `rows` rows. */
export const textsOf = <E, R>(tokens: Stream.Stream<Token, E, R>, rows: number) =>
  Stream.runFold(tokens, () => Array<string>(rows).fill(""), (texts, { row, text }) => {
    texts[row] += text
    return texts
  }).pipe(Effect.map((texts) => texts.map((text) => text.trim())))

/** A reader that can be asked. */
export class Reader extends Context.Service<Reader, {
  /** Mean negative log-likelihood of each answer given each passage alone: docs [questions, m] -> [questions, m]. */
  readonly nll: (
    asked: Asked & { readonly answers: ReadonlyArray<string>; readonly docs: Int32Array }
  ) => Effect.Effect<Float32Array, ReaderError>
  /** An option, or a free answer. */
  readonly answer: (asked: Asked & { readonly context: Int32Array }) => Effect.Effect<Chosen, ReaderError>
  /** What the reader writes about each question, token by token. */
  readonly write: (asked: ToWrite) => Stream.Stream<Token, ReaderError>
}>()("anamnesis/runtime/Reader") {}

/** A reader that can be taught. */
export class ReaderLearner extends Context.Service<ReaderLearner, {
  readonly groups: ReadonlyArray<ParameterGroup>
  /** One update; the loss of each question's answer. */
  readonly learn: (lesson: ReaderLesson) => Effect.Effect<Float32Array, ReaderError>
  /** Fails with `DeadGradient` where a group that should learn would not; moves nothing. */
  readonly gate: (lesson: ReaderLesson) => Effect.Effect<ReadonlyMap<string, number>, ReaderError>
}>()("anamnesis/runtime/ReaderLearner") {}

/** No reader: every answer is as likely as any other, and none is given. */
export const none: Layer.Layer<Reader> = Layer.succeed(Reader, {
  nll: ({ docs }) => Effect.succeed(new Float32Array(docs.length)),
  answer: ({ questions }) =>
    Effect.succeed({
      texts: questions.map(() => ""),
      indices: new Int32Array(questions.length).fill(-1),
      written: questions.map(() => "")
    }),
  write: () => Stream.empty
})
