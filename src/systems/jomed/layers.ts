/** The layers of each mode. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as languageModel from "../../runtime/language/languageModel.ts"
import * as images from "../../runtime/pictures/images.ts"
import { learnsNothing } from "../../runtime/ports/LanguageModel.ts"
import { open as openEncoder } from "../../runtime/retrieval/pictures/frozen.ts"
import { baseOf, kindOf } from "../../runtime/retrieval/pictures/heads.ts"
import * as pictures from "../../runtime/retrieval/pictures/retriever.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { ofReader } from "../questions.ts"
import type { JomedConfig } from "./settings.ts"

export { ofReader } from "../questions.ts"

/** The retriever's sections of a run's settings. */
export const ofRetriever = (c: JomedConfig): pictures.LearningSettings => ({
  name: c.retriever_name_or_path,
  heads: {
    used: c.heads,
    learns: c.mode === "jomed_retriever" ? c.learned_head : undefined,
    kind: kindOf(c.head)!,
    weight: c.head_weight,
    seed: c.seed,
    onnx: { input: c.image_encoder_input, output: c.image_encoder_output }
  },
  exclusion: { self: c.exclude.includes("self"), group: c.exclude.includes("group") },
  training: c,
  retrieval: c,
  learningRate: c.lr_retriever,
  snapshotSteps: c.snapshot_steps,
  temperature: c.temperature_score
})

/** With the pictures that records name. */
const withImages = (c: JomedConfig) => Layer.provide(images.layer({ memory: c.images_in_memory * 2 ** 20 }))

/** The reader learns; the retriever stays as it is. */
export const readerLearns = (c: JomedConfig) =>
  Layer.mergeAll(pictures.readOnly(ofRetriever(c)), retriever.learnsNothing, languageModel.trainable(ofReader(c))).pipe(
    withImages(c)
  )
/** A head learns; the reader stays as it is. */
export const headLearns = (c: JomedConfig) =>
  Layer.mergeAll(pictures.trainable(ofRetriever(c)), languageModel.readOnly(ofReader(c)), learnsNothing).pipe(
    withImages(c)
  )
/** Both as they are. */
export const inference = (c: JomedConfig) =>
  Layer.mergeAll(pictures.readOnly(ofRetriever(c)), languageModel.readOnly(ofReader(c))).pipe(withImages(c))
/** F by itself. */
export const encoder = (c: JomedConfig) =>
  Effect.flatMap(baseOf(c.retriever_name_or_path), (name) => openEncoder(name, ofRetriever(c).heads.onnx))
/** The retriever alone, with its indexes where the settings say, or in `stores`. */
export const ranking = (c: JomedConfig, stores?: Parameters<typeof pictures.readOnly>[1]) =>
  pictures.readOnly(ofRetriever(c), stores).pipe(withImages(c))
