/** The layers of both modes: a retriever alone. */
import * as Layer from "effect/Layer"
import { retrieverOf } from "../../domain/settings/models.ts"
import { absent } from "../../runtime/ports/LanguageModel.ts"
import * as bm25 from "../../runtime/retrieval/bm25.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { contrastLoss } from "./contrast.ts"
import type { StmConfig } from "./settings.ts"

/** The retriever's sections of a run's settings. */
export const ofRetriever = (c: StmConfig): retriever.RetrieverSettings => ({
  model: retrieverOf(c),
  training: c,
  retrieval: c,
  loss: contrastLoss(c)
})

/** The retriever is trained. */
export const trains = (c: StmConfig) => Layer.mergeAll(retriever.trainable(ofRetriever(c)), absent)
/** The retriever as it is. */
export const frozen = (c: StmConfig) => retriever.readOnly(ofRetriever(c))
/** BM25, which ranks. */
export const lexical = bm25.layer
/** The same where a learner is asked for: it learns nothing. */
export const lexicalAlone = Layer.mergeAll(bm25.layer, retriever.learnsNothing, absent)
