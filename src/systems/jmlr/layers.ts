/** The layers of each mode. */
import * as Layer from "effect/Layer"
import { retrieverOf } from "../../domain/settings/models.ts"
import type { Traits } from "../../domain/settings/uses.ts"
import * as languageModel from "../../runtime/language/languageModel.ts"
import { absent } from "../../runtime/ports/LanguageModel.ts"
import * as bm25 from "../../runtime/retrieval/bm25.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { ofReader } from "../questions.ts"
import type { Mode } from "../System.ts"
import type { JmlrConfig } from "./settings.ts"

export { ofReader } from "../questions.ts"

/** The retriever's sections of a run's settings. */
export const ofRetriever = (c: JmlrConfig): retriever.RetrieverSettings => ({
  model: retrieverOf(c),
  training: c,
  retrieval: c,
  loss: { temperature: c.temperature_score, weight: c.rank_weight }
})

/** Both models are trained. */
export const joint = (c: JmlrConfig) =>
  Layer.mergeAll(
    retriever.trainable(ofRetriever(c)),
    languageModel.trainable({ ...ofReader(c), lag: c.reader_lag })
  )
/** The retriever is frozen, the reader is trained. */
export const frozenRag = (c: JmlrConfig) =>
  Layer.mergeAll(retriever.frozen(ofRetriever(c)), languageModel.trainable(ofReader(c)))
/** The same with lexical retrieval (BM25). */
export const bm25Rag = (c: JmlrConfig) =>
  Layer.mergeAll(bm25.layer, retriever.learnsNothing, languageModel.trainable(ofReader(c)))
/** Fine-tuning only: the reader is trained without retrieved passages. */
export const noRetrieval = (c: JmlrConfig) => Layer.mergeAll(retriever.absent, languageModel.trainable(ofReader(c)))
/** Only the retriever is trained, on gold passages. */
export const retrieverOnly = (c: JmlrConfig) => Layer.mergeAll(retriever.trainable(ofRetriever(c)), absent)

/** The retriever alone, frozen: none, BM25 or an encoder. */
export const ranking = (c: JmlrConfig, kind: Traits["retriever"]): Mode["ranks"] =>
  kind === "none" ? retriever.absent : kind === "lexical" ? bm25.layer : retriever.readOnly(ofRetriever(c))
/** Both models are frozen; a pipeline that trains them does not typecheck. */
export const inference = (c: JmlrConfig) =>
  Layer.mergeAll(retriever.readOnly(ofRetriever(c)), languageModel.readOnly(ofReader(c)))
/** The same with lexical retrieval (BM25). */
export const bm25Reading = (c: JmlrConfig) => Layer.mergeAll(bm25.layer, languageModel.readOnly(ofReader(c)))
/** The reader alone, without retrieved passages. */
export const closedBook = (c: JmlrConfig) => Layer.mergeAll(retriever.absent, languageModel.readOnly(ofReader(c)))
