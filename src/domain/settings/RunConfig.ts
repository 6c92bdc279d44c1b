/** The settings of a run, for any system: a flat record with the names of Hugging Face, ColBERT and Atlas. */
import * as Schema from "effect/Schema"
import { data } from "./data.ts"
import { generation } from "./generation.ts"
import { models } from "./models.ts"
import { output } from "./output.ts"
import { pictures } from "./pictures.ts"
import { prompting } from "./prompting.ts"
import { retrieval } from "./retrieval.ts"
import { training } from "./training.ts"

/** The sections shared by all systems, in documentation order. */
export const sections = {
  Data: data,
  Models: models,
  Training: training,
  Retrieval: retrieval,
  Prompts: prompting,
  Pictures: pictures,
  Answers: generation,
  Output: output
} as const

/** The settings that every system has. */
export const shared = {
  ...data,
  ...models,
  ...training,
  ...retrieval,
  ...prompting,
  ...pictures,
  ...generation,
  ...output
}

/** The settings that every system has. A system's own settings are added to these, see `Spec`. */
export const RunConfig = Schema.Struct({
  system: Schema.String,
  preset: Schema.String,
  mode: Schema.String,
  ...shared
})
/** The settings of a run, all with values. */
export type RunConfig = typeof RunConfig.Type

/** Settings before decoding. */
export type Raw = Readonly<Record<string, unknown>>
