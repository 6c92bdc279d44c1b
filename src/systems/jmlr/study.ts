/** How each mode studies a question: the settings of a run as the options of a pipeline. */
import { stepSize } from "../../domain/settings/training.ts"
import * as Pipelines from "../../stages/pipelines.ts"
import type { Study } from "../System.ts"
import type { JmlrConfig, ModeName } from "./settings.ts"

/** The options of a pipeline that a run's settings ask for. */
export const studyOptions = (c: JmlrConfig): Pipelines.StudyOptions => ({
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
const fromGold: Studies = (c, passages) => Pipelines.oracle(c.n_context, passages, c.seed)

/** A step of each mode, over a corpus of so many passages. */
export const studies: Readonly<Record<ModeName, Studies>> = {
  joint: byLikelihood,
  frozen_rag: byLikelihood,
  no_retrieval: byLikelihood,
  bm25_rag: byLikelihood,
  gold_supervised: (c) => Pipelines.goldSupervised(studyOptions(c)),
  oracle: fromGold,
  lexical: (c) => Pipelines.inBatch(stepSize(c)),
  copy: fromGold
}
