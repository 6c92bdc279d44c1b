/** Settings that hold prompts which can be optimised: one line each. */
import type { RunConfig } from "../../domain/settings/RunConfig.ts"

/** How a prompt is scored: the reader's answers, or the ranking of gold passages (nDCG@10). */
export type Metric = "accuracy" | "ndcg"

/** What is known of such a setting. */
export interface Tunable {
  readonly metric: Metric
  /** Where the setting is read: by the stages, for each question, or when the models are opened. */
  readonly read: "asked" | "opened"
  /** What the prompt is for, as the model that rewrites it is told. */
  readonly purpose: string
}

/** By setting; one that a version lacks cannot be named. */
export const tunable: Readonly<Record<string, Tunable>> = {
  question_prompt: {
    metric: "accuracy",
    read: "asked",
    purpose: "it is put around a question, after passages that may help, for a language model that answers it"
  },
  document_prompt: {
    metric: "accuracy",
    read: "asked",
    purpose: "it is put around each passage, before the question, for a language model that answers it"
  },
  generation_prompt: {
    metric: "accuracy",
    read: "asked",
    purpose: "it begins the answer of a language model, which goes on from there"
  },
  query_prompt: {
    metric: "ndcg",
    read: "opened",
    purpose: "it is put before each query of a search engine that embeds queries and passages as vectors"
  }
}

/** The settings that can be optimised here. */
export const tunablesOf = (fields: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.keys(tunable).filter((name) => Object.hasOwn(fields, name))

/** The value of a prompt setting. */
export const textOf = (c: RunConfig, setting: string): string =>
  String((c as Readonly<Record<string, unknown>>)[setting])
