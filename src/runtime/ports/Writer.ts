/** Language models that write texts: our own reader, or a model behind an endpoint, which tells no likelihoods. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { LanguageModelError } from "./LanguageModel.ts"

/** The endpoint answers no request of ours: each other one would be refused too. */
export class EndpointRefused extends Schema.TaggedError<EndpointRefused>()("EndpointRefused", {
  endpoint: Schema.String,
  kind: Schema.Literals(["denied", "absent", "quota", "settings"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.endpoint}: ${this.reason}`
  }
}

/** One request got no usable answer, however often it was made. */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", {
  endpoint: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.endpoint}: ${this.reason}`
  }
}

/** One request was refused for what it asks, such as its length. */
export class RequestRejected extends Schema.TaggedError<RequestRejected>()("RequestRejected", {
  endpoint: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.endpoint}: ${this.reason}`
  }
}

/** The next request might pass the token budget. */
export class BudgetSpent extends Schema.TaggedError<BudgetSpent>()("BudgetSpent", {
  budget: Schema.Int,
  spent: Schema.Int,
  next: Schema.Int,
  kept: Schema.String
}) {
  override get message(): string {
    return `the token budget is ${this.budget}, of which ${this.spent} are spent, and the next request may take `
      + `${this.next}; the answers so far are in ${this.kept}: run it again with a larger budget to go on`
  }
}

/** An answer cannot be kept on disk or read back. */
export class AnswersUnkept extends Schema.TaggedError<AnswersUnkept>()("AnswersUnkept", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** A request has no answer in files of a batch: it is waited for, or came back as a failure. */
export class NotAnswered extends Schema.TaggedError<NotAnswered>()("NotAnswered", {
  endpoint: Schema.String,
  kind: Schema.Literals(["waiting", "failed"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.endpoint}: ${this.reason}`
  }
}

/** Why nothing was written. */
export class WriterError extends Schema.TaggedError<WriterError>()("WriterError", {
  reason: Schema.Union([
    EndpointRefused,
    RequestFailed,
    RequestRejected,
    BudgetSpent,
    AnswersUnkept,
    NotAnswered,
    LanguageModelError
  ])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/** How an error concerns one request, and leaves the others as they are; `undefined` ends all. */
export const ofOneRequest = ({ reason }: WriterError): "failed" | "rejected" | "waiting" | undefined => {
  if (reason._tag === "NotAnswered") return reason.kind
  if (reason._tag === "RequestFailed") return "failed"
  if (reason._tag === "RequestRejected") return "rejected"
  return reason._tag === "LanguageModelError" && reason.reason._tag === "ContextOverflow" ? "rejected" : undefined
}

/** A message of a dialogue. */
export interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly text: string
}

/** The form of an answer that is a JSON value. */
export interface Format {
  /** Letters, digits, `_` and `-`. */
  readonly name: string
  /** A JSON Schema. */
  readonly schema: Readonly<Record<string, unknown>>
}

/** What is asked. */
export interface WriteRequest {
  /** The last is the user's. */
  readonly turns: ReadonlyArray<Turn>
  /** Greatest length of the answer in tokens. */
  readonly max_tokens: number
  /** Which sample of the answers to these turns; 0, the first, by default. */
  readonly sample?: number
  /** Asks for a JSON value; the answer is its text, which may still not be of the schema. */
  readonly format?: Format
}

/** What was written. */
export interface Answer {
  readonly text: string
  /** `stop`: whole; `length`: cut at `max_tokens`; `refused`: by the model or a content filter, for `refusal`. */
  readonly end: "stop" | "length" | "refused"
  readonly refusal: string
  /** The model, as the endpoint names it, or by the hash of its weights. */
  readonly model: string
  /** The endpoint's name for its configuration, if it tells one. */
  readonly fingerprint: string | null
  /** Tokens of the request and of the answer. */
  readonly usage: { readonly input: number; readonly output: number }
  /** SHA-256 of the request: its name in the cache. */
  readonly request_key: string
}

/** What requests have taken so far. */
export interface Spent {
  /** Requests that were answered by the model, and those answered from the cache. */
  readonly calls: number
  readonly cached: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** Requests that were made again. */
  readonly retries: number
}

/** What became of the files of a batch. */
export interface BatchReport {
  /** Those written. */
  readonly files: ReadonlyArray<string>
  /** Requests in them, which are not answered yet. */
  readonly waiting: number
  /** Lines of the files of answers; of the requests in them, those of this writer, the failures among these, the others. */
  readonly answers: { readonly lines: number; readonly used: number; readonly failed: number; readonly unknown: number }
}

/** A language model that writes. Equal requests have equal answers, which are written once. */
export class Writer extends Context.Service<Writer, {
  /** For messages and records. */
  readonly name: string
  readonly seed: number
  /** How many requests are worked on at once. */
  readonly concurrency: number
  /** Where answers are kept. */
  readonly kept: string
  readonly write: (request: WriteRequest) => Effect.Effect<Answer, WriterError>
  /** Whether the answer is kept already, so that `write` makes no call; the first form of a JSON request counts. */
  readonly isKept: (request: WriteRequest) => Effect.Effect<boolean, WriterError>
  readonly spent: Effect.Effect<Spent>
  /** Ends the files of a batch that requests are written to, or answers read from, in place of calls; absent without any. */
  readonly batch?: Effect.Effect<BatchReport, WriterError>
}>()("anamnesis/runtime/Writer") {}

/** About how many tokens a text has: four characters each, as in English. */
export const about = (characters: number): number => Math.ceil(characters / 4)

/** About how many tokens a request takes at most, with its answer. */
export const mostTokens = ({ format, max_tokens, turns }: WriteRequest): number =>
  about(turns.reduce((sum, { text }) => sum + text.length, format ? JSON.stringify(format.schema).length : 0))
  + max_tokens
