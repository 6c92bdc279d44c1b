/** How each mode studies: the settings of a run as the options of a pipeline. */
import { type RunConfig, stepSize } from "./domain/RunConfig.ts"
import { textsAsked } from "./runtime/layers/prompt.ts"
import * as Pipelines from "./stages/pipelines.ts"

/** The text the retriever is asked with. */
export const query = (c: RunConfig) => (question: string, options: ReadonlyArray<string>): string =>
  textsAsked({ questions: [question], options: [options] }, c)[0]!

export const studyOptions = (c: RunConfig): Pipelines.StudyOptions => ({
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
  query: query(c),
  temperatureGold: c.temperature_gold
})

export const curriculum = (c: RunConfig, passages: number) => {
  const options = studyOptions(c)
  switch (c.mode) {
    case "joint":
    case "frozen_rag":
    case "bm25_rag":
    case "no_retrieval":
      return c.gold_score_mode === "llm_rank" ? Pipelines.llmRanked(options) : Pipelines.distilled(options)
    case "gold_supervised":
      return Pipelines.goldSupervised(options)
    case "oracle":
    case "copy":
      return Pipelines.oracle(c.n_context, passages, c.seed, options.query)
    case "lexical":
      return Pipelines.inBatch(stepSize(c), options.query)
  }
}
