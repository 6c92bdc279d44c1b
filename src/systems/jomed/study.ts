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
import { labelWeighted, type VerdictStudyOptions, verdictWeighted } from "../../stages/pipelines.ts"
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

const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

const variance = (values: ReadonlyArray<number>): number => {
  const middle = mean(values)
  return mean(values.map((value) => (value - middle) ** 2))
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

/** Batches that are looked at for utilities that differ: those of one may by chance have passages of one answer alone. */
const LOOKED = 4

/** Whether the utilities of a batch's passages differ; fails if those of several batches hardly do, taken together. */
const teaching = (c: JomedConfig) => {
  const seen: Array<number> = []
  let looked = 0
  return (rows: Read) =>
    Effect.suspend(() => {
      const own = utilityVariances(rows, c)
      looked++
      seen.push(...own)
      if (own.length > 0 && mean(own) >= c.min_utility_variance) return Effect.succeed(true)
      if (looked < LOOKED) return Effect.succeed(false)
      const reason = new Indifferent({ variance: mean(seen), least: c.min_utility_variance, questions: seen.length })
      return Effect.fail(new RetrieverError({ reason }))
    })
}

/** The first phase: the reader learns on pairs. */
export const pairs = (c: JomedConfig): QuestionStudy => taughtByPairs({ ...headsOptions(c), ...answerOptions(c) })

/**
 * The second phase: a head learns from verdicts, of which those on a pair are computed once. The gate has no gradient where the
 * passages of a batch make no difference, so that it is tried with others, and fails after a few.
 */
export const verdicts = (c: JomedConfig): QuestionStudy => {
  const o = verdictOptions(c)
  const { gate, learn, learnSeveral, study } = c.utility === "label"
    ? labelWeighted(o)
    : verdictWeighted(o, new VerdictCache())
  const teaches = teaching(c)
  return {
    learn,
    learnSeveral,
    gate: Effect.fnUntraced(function*(rows) {
      const taught = yield* teaches((yield* study.run(rows)) as unknown as Read)
      const norms = yield* gate(rows)
      return taught ? norms : new Map([...norms.keys()].map((name) => [name, 0]))
    })
  }
}
