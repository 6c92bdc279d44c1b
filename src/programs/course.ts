/** How each mode studies: the settings of a run as the options of a pipeline, and its questions as steps. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Questions from "../datasets/questions.ts"
import type * as Frame from "../domain/Frame.ts"
import * as Schedule from "../domain/RefreshSchedule.ts"
import { type RunConfig, Settings, stepSize } from "../domain/settings/RunConfig.ts"
import type { Lesson } from "../domain/tables.ts"
import { textsAsked } from "../runtime/language/prompt.ts"
import { DeadGradient } from "../runtime/ports/Learning.ts"
import { Passages } from "../runtime/ports/Passages.ts"
import { ReaderLearner } from "../runtime/ports/Reader.ts"
import { RetrieverLearner } from "../runtime/ports/Retriever.ts"
import * as Pipelines from "../stages/pipelines.ts"

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

/** The parameters of both models. */
export const parameterGroups = Effect.gen(function*() {
  return [...(yield* RetrieverLearner).groups, ...(yield* ReaderLearner).groups]
})

/** Batches that are looked at, at most, for a gradient of every group. */
const GATE = 256

/** What a run does, step by step, for whoever runs it. */
export const course = Effect.fnUntraced(function*(epochs: Questions.Epochs) {
  const c = yield* Settings
  const passages = yield* Passages
  const lesson = curriculum(c, passages.ids.length)
  const schedule = Schedule.parse(c.refresh_index) ?? []
  const steps = (from: number, to: number) =>
    Questions.batches(epochs, { from, to, size: stepSize(c), seed: c.seed }, passages.row)
  return {
    groups: yield* parameterGroups,
    /** The questions of steps from..to-1. */
    steps,
    /**
     * The gradient norm of every group, of the first batch on which it has one; fails where a group has none on any. A
     * batch may teach nothing: the reader may find all of its passages equally good.
     */
    gate: Effect.gen(function*() {
      const norms = new Map<string, number>()
      const batches = Math.min(GATE, c.max_steps, Math.ceil(epochs(0).length / stepSize(c)))
      const unseen = () => [...norms].filter(([, norm]) => norm === 0).map(([name]) => name)
      for (let step = 0; step < batches && (step === 0 || unseen().length > 0); step++) {
        yield* Stream.runForEach(steps(step, step + 1), (rows) =>
          Effect.map(lesson.gate(rows), (found) => {
            for (const [name, norm] of found) norms.set(name, norms.get(name) || norm)
          }))
      }
      const dead = unseen()
      return dead.length > 0 ? yield* new DeadGradient({ groups: dead, batches }) : norms
    }),
    /** Whether the index is made anew before a step. */
    refreshes: (step: number) => Schedule.due(schedule, step),
    learn: Effect.fnUntraced(function*(rows: Questions.QuestionFrame) {
      const learned: Frame.Frame<typeof Lesson> = yield* lesson.learn(rows)
      return learned
    })
  }
})
