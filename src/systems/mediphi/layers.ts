/** The layers of all modes: a language model alone. */
import * as Layer from "effect/Layer"
import { readerOf } from "../../domain/settings/models.ts"
import * as languageModel from "../../runtime/language/languageModel.ts"
import type { LanguageModelSettings } from "../../runtime/language/model.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { lossesOf, type MediphiConfig } from "./settings.ts"

/** The model's sections of a run's settings. */
export const ofModel = (c: MediphiConfig): LanguageModelSettings => ({
  name: "reader",
  model: readerOf(c),
  training: c,
  prompting: c,
  pictures: c,
  generation: c,
  told: c.log_token_statistics,
  preference: { losses: lossesOf(c), beta: c.beta, labelSmoothing: c.label_smoothing }
})

/** The model is trained. */
export const trains = (c: MediphiConfig) => Layer.mergeAll(retriever.absent, languageModel.trainable(ofModel(c)))
/** The model answers. */
export const answers = (c: MediphiConfig) => Layer.mergeAll(retriever.absent, languageModel.readOnly(ofModel(c)))
/** The model as it is, to judge texts before training. */
export const frozen = (c: MediphiConfig) => languageModel.readOnly(ofModel(c))
