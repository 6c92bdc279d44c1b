/**
 * Retrievers trained by contrast, of which STM (Khattab et al. 2026) makes its experts: encoders and decoders of one vector per
 * text, and late interaction. BM25 is there to be compared with, and to find hard negatives.
 */
import * as Layer from "effect/Layer"
import { retrieverOf } from "../../domain/settings/models.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { absent } from "../../runtime/ports/LanguageModel.ts"
import * as bm25 from "../../runtime/retrieval/bm25.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"
import { candidatesOf } from "../../stages/contrast.ts"
import { answerOne, contrastive } from "../../stages/pipelines.ts"
import { onQuestions } from "../questions.ts"
import type { Mode, System } from "../System.ts"
import { contrastLacks, contrastLoss, contrastOptions } from "./contrast.ts"
import { type ModeName, spec, type StmConfig, traits } from "./settings.ts"

/** The retriever's sections of a run's settings. */
const ofRetriever = (c: StmConfig): retriever.RetrieverSettings => ({
  model: retrieverOf(c),
  training: c,
  retrieval: c,
  loss: contrastLoss(c)
})

/** Bytes of a step's columns: the candidates of each question, and the ranking of questions for each positive. */
const columns = (c: StmConfig) => (questions: number): number =>
  questions * (12 * candidatesOf(contrastOptions(c)) + 4 * questions)

const modeOf = (c: StmConfig): Mode => {
  const name = c.mode as ModeName
  const learns = name === "contrastive"
  const ranks: Mode["ranks"] = learns ? retriever.readOnly(ofRetriever(c)) : bm25.layer
  const trains: Mode["trains"] = learns
    ? Layer.mergeAll(retriever.trainable(ofRetriever(c)), absent)
    : Layer.mergeAll(bm25.layer, retriever.learnsNothing, absent)
  return {
    name,
    traits: traits[name],
    trains,
    answers: Layer.mergeAll(ranks, absent),
    ranks,
    needsGold: { studied: true, judged: false },
    pairs: learns,
    lacks: learns
      ? contrastLacks(c)
      : () => [`mode ${name} has nothing to train: it ranks for evaluate, bench and mine`],
    candidates: 1,
    context: 0,
    columns: columns(c),
    study: () => onQuestions(contrastive(contrastOptions(c))),
    answering: (n) => answerOne({ ...c, n, c: 1, rerank: false }),
    judges: { passages: "found", reads: false, before: learns }
  }
}

/** Retrievers trained by contrast. */
export const stm: System = { spec, mode: (c: RunConfig) => modeOf(c as StmConfig) }
