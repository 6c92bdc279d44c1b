/** How each mode studies a question: the settings of a run as the options of a pipeline. */
import { stepSize } from "../../domain/settings/training.ts"
import type { AnswerOptions } from "../../stages/answer.ts"
import * as Pipelines from "../../stages/pipelines.ts"
import type { Study } from "../System.ts"
import type { JmlrConfig, ModeName } from "./settings.ts"

/** How the reader is asked, and what is made of what it says. */
export const answerOptions = (c: JmlrConfig): AnswerOptions => ({
  document_prompt: c.document_prompt,
  text_maxlength: c.text_maxlength,
  question_prompt: c.question_prompt,
  options_in_prompt: c.options_in_prompt,
  excess_length: c.excess_length,
  answer_prompt: c.answer_prompt,
  answer_format: c.answer_format,
  answer_by: c.answer_by,
  option_score: c.option_score,
  generation_prompt: c.generation_prompt,
  max_new_tokens: c.max_new_tokens,
  rationale_prompt: c.rationale_prompt,
  rationale_max_new_tokens: c.rationale_max_new_tokens
})

/** The options of a pipeline that a run's settings ask for. */
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
  temperatureGold: c.temperature_gold
})

type Studies = (c: JmlrConfig, passages: number) => Study

const byLikelihood: Studies = (c) =>
  c.gold_score_mode === "llm_rank" ? Pipelines.llmRanked(studyOptions(c)) : Pipelines.distilled(studyOptions(c))
const fromGold: Studies = (c, passages) => Pipelines.oracle(c.n_context, passages, c.seed, answerOptions(c))

/** A step of each mode, over a corpus of so many passages. */
export const studies: Readonly<Record<ModeName, Studies>> = {
  joint: byLikelihood,
  frozen_rag: byLikelihood,
  no_retrieval: byLikelihood,
  bm25_rag: byLikelihood,
  gold_supervised: (c) => Pipelines.goldSupervised(studyOptions(c)),
  oracle: fromGold,
  lexical: (c) => Pipelines.inBatch(stepSize(c), answerOptions(c)),
  copy: fromGold
}
