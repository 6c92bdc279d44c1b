/** How each mode trains and answers: maps a run's settings to pipeline options. */
import { stepSize } from "../../domain/settings/training.ts"
import type { AnswerOptions } from "../../stages/answer.ts"
import * as Pipelines from "../../stages/pipelines.ts"
import { answerOptions, type QuestionStudy } from "../questions.ts"
import type { JmlrConfig, ModeName } from "./settings.ts"

export { answerOptions } from "../questions.ts"

/** The pipeline options of a run's settings. */
export const studyOptions = (c: JmlrConfig): Pipelines.StudyOptions & AnswerOptions => ({
  ...answerOptions(c),
  n: c.n_candidates,
  m: c.retriever_n_context,
  c: c.n_context,
  sampling: c.sampling,
  context: c.context,
  temperature: c.sampling_temperature,
  seed: c.seed,
  ties: c.rank_ties,
  mean: c.rank_mean,
  margin: c.rank_tie_margin,
  rerank: c.retrieve_with_rerank,
  temperatureGold: c.gold_score_mode === "emdr2" ? 1 : c.temperature_gold,
  temperatureScore: c.temperature_score
})

type Studies = (c: JmlrConfig, passages: number) => QuestionStudy

const goals = {
  llm_rank: Pipelines.llmRanked,
  pdist: Pipelines.distilled,
  pdist_prior: Pipelines.marginal,
  emdr2: Pipelines.marginal,
  loop: Pipelines.leavingOneOut,
  adist: Pipelines.attentive,
  replug: Pipelines.replugged
} as const
const byLikelihood: Studies = (c) => goals[c.gold_score_mode](studyOptions(c))
/** Of retrievers that have nothing to learn, of which no loss is told either. */
const withoutVerdicts: Studies = (c) => Pipelines.readerAlone(studyOptions(c))
const fromGold: Studies = (c, passages) => Pipelines.oracle(c.n_context, passages, c.seed, answerOptions(c))

/** Training steps of each mode, over a corpus of this many passages. */
export const studies: Readonly<Record<ModeName, Studies>> = {
  joint: byLikelihood,
  frozen_rag: byLikelihood,
  no_retrieval: withoutVerdicts,
  bm25_rag: withoutVerdicts,
  gold_supervised: (c) => Pipelines.goldSupervised(studyOptions(c)),
  oracle: fromGold,
  lexical: (c) => Pipelines.inBatch(stepSize(c), answerOptions(c)),
  copy: fromGold
}
