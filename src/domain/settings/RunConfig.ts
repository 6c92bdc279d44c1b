/** The settings of a run, whatever its system: a flat record, in the spellings of Hugging Face, ColBERT and Atlas. */
import * as Schema from "effect/Schema"
import { data } from "./data.ts"
import { generation } from "./generation.ts"
import { models } from "./models.ts"
import { output } from "./output.ts"
import { prompting } from "./prompting.ts"
import { retrieval } from "./retrieval.ts"
import { training } from "./training.ts"

/** The sections that all systems share, in the order in which they are documented. */
export const sections = {
  Data: data,
  Models: models,
  Training: training,
  Retrieval: retrieval,
  Prompts: prompting,
  Answers: generation,
  Output: output
} as const

/** The settings that every system has. */
export const shared = { ...data, ...models, ...training, ...retrieval, ...prompting, ...generation, ...output }

/** What every system's settings have. Those of a system of its own stand beside them, see `Spec`. */
export const RunConfig = Schema.Struct({
  system: Schema.String,
  preset: Schema.String,
  mode: Schema.String,
  ...shared
})
/** The settings of a run, each with a value. */
export type RunConfig = typeof RunConfig.Type

/** Settings as they were written. */
export type Raw = Readonly<Record<string, unknown>>
