/** How each mode trains and answers: maps a run's settings to pipeline options. */
import * as Effect from "effect/Effect"
import * as Frame from "../../domain/Frame.ts"
import { MOST_OPTIONS } from "../../domain/records/options.ts"
import type { ClassScores, Draw, Question } from "../../domain/tables.ts"
import { utilityOf, verdictOf } from "../../domain/verdicts/utility.ts"
import { Indifferent } from "../../runtime/ports/Learning.ts"
import { RetrieverError } from "../../runtime/ports/Retriever.ts"
import type { AnswerOptions } from "../../stages/answer.ts"
import { type HeadsOptions, taughtByPairs } from "../../stages/heads.ts"
import { type VerdictStudyOptions, verdictWeighted } from "../../stages/pipelines.ts"
import { VerdictCache } from "../../stages/verdicts.ts"
import { answerOptions, type QuestionStudy } from "../questions.ts"
import type { JomedConfig } from "./settings.ts"

/** What each head finds for a question. */
export const headsOptions = (c: JomedConfig): HeadsOptions => ({
  heads: c.heads.length,
  k: c.n_context,
  exclude: c.exclude.includes("group")
})

const verdictOptions = (c: JomedConfig): VerdictStudyOptions & AnswerOptions => ({
  ...answerOptions(c),
  n: c.n_candidates,
  m: c.retriever_n_context,
  c: 1,
  k: MOST_OPTIONS,
  sampling: "top",
  context: "top",
  temperature: 1,
  seed: c.seed,
  rerank: c.retrieve_with_rerank,
  exclude: c.exclude.includes("group"),
  utility: c.utility,
  prior: c.add_prior_to_gold_score ? "scores" : "none",
  direction: c.kl,
  temperatureGold: c.temperature_gold,
  temperatureScore: c.temperature_score,
  disagreeing: c.weighting_kl
})

const variance = (values: ReadonlyArray<number>): number => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
}

type Read = Frame.Frame<typeof Question & ReturnType<typeof ClassScores> & Pick<ReturnType<typeof Draw>, "drawn">>

/** The variance over passages of each question's utility, of questions of which several were read. */
export const utilityVariances = (rows: Read, c: Pick<JomedConfig, "utility">): ReadonlyArray<number> => {
  const [scores, right] = [Frame.column(rows, "scores"), Frame.column(rows, "answerIndex")]
  const k = MOST_OPTIONS
  const m = scores.length / k / rows.rows
  return Array.from({ length: rows.rows }, (_, r) => {
    const single = Array.from({ length: m }, (_, i) => scores.subarray((r * m + i) * k, (r * m + i + 1) * k))
    const known = single.filter((own) => verdictOf(own) >= 0)
    return known.map((own) => right[r]! < 0 ? own[0]! : utilityOf(own, right[r]!, c.utility))
  }).filter(({ length }) => length > 1).map(variance)
}

/** Fails if the utilities of a step's passages hardly differ. */
const teaching = (rows: Read, c: JomedConfig) => {
  const all = utilityVariances(rows, c)
  const mean = all.reduce((sum, own) => sum + own, 0) / Math.max(1, all.length)
  if (mean >= c.min_utility_variance && all.length > 0) return Effect.void
  const reason = new Indifferent({ variance: mean, least: c.min_utility_variance, questions: all.length })
  return Effect.fail(new RetrieverError({ reason }))
}

/** The first phase: the reader learns on pairs. */
export const pairs = (c: JomedConfig): QuestionStudy => taughtByPairs({ ...headsOptions(c), ...answerOptions(c) })

/** The second phase: a head learns from verdicts, of which those on a pair are computed once. */
export const verdicts = (c: JomedConfig): QuestionStudy => {
  const { gate, learn, learnSeveral, study } = verdictWeighted(verdictOptions(c), new VerdictCache())
  return {
    learn,
    learnSeveral,
    gate: (rows) =>
      study.run(rows).pipe(
        Effect.flatMap((studied) => teaching(studied as unknown as Read, c)),
        Effect.andThen(gate(rows))
      )
  }
}
