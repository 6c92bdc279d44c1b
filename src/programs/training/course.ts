/** The steps of a run, shared by training, probing and validation. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Batches from "../../datasets/batches.ts"
import { parts } from "../../domain/fileNames.ts"
import { queryOf } from "../../domain/records/options.ts"
import * as RefreshSchedule from "../../domain/RefreshSchedule.ts"
import type { RunConfig } from "../../domain/settings/RunConfig.ts"
import { stepSize } from "../../domain/settings/training.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { LanguageModelLearner } from "../../runtime/ports/LanguageModel.ts"
import { DeadGradient, type LossScale } from "../../runtime/ports/Learning.ts"
import { RetrieverLearner } from "../../runtime/ports/Retriever.ts"
import { modeOf } from "../../systems/all.ts"

/** Options for turning a run's questions into rows. */
export const rowsOf = (c: RunConfig, { row }: Pick<Corpus["Service"], "row">): Batches.Rows => ({
  row,
  query: queryOf(c)
})

/** The parameter groups of both models. */
export const parameterGroups = Effect.gen(function*() {
  return [...(yield* RetrieverLearner).groups, ...(yield* LanguageModelLearner).groups]
})

/** Loss scales with the names of their models. */
export type LossScales = ReadonlyArray<LossScale & { readonly name: string }>

/** The loss scales of the models that have one, by the model's name. */
export const lossScales = Effect.gen(function*() {
  const learners = { retriever: yield* RetrieverLearner, reader: yield* LanguageModelLearner }
  return (): LossScales =>
    parts.flatMap((name) => {
      const found = learners[name].lossScale?.()
      return found ? [{ name, ...found }] : []
    })
})

/** Maximum number of batches to look at for a gradient of every group. */
const GATE = 256

/** The steps of a run with these settings and questions; needs the layers of its mode. */
export const course = Effect.fnUntraced(function*(c: RunConfig, epochs: Batches.RowEpochs) {
  const corpus = yield* Corpus
  const { arranged, study } = modeOf(c)
  const { figures, gate, learn, learnSeveral } = study(corpus.size)
  const options = { size: stepSize(c), seed: c.seed, ordered: arranged !== undefined }
  const { schedule } = RefreshSchedule.refreshOf(c.refresh_index)!
  const steps = (from: number, to: number) => Batches.batches(epochs, { from, to, ...options }, rowsOf(c, corpus))
  /** Whether the index is rebuilt before a step, or measured in order to be. */
  const refreshes = (step: number) => RefreshSchedule.due(schedule, step)
  return {
    groups: yield* parameterGroups,
    /** Batches of the questions for steps from..to-1, those of one program run together. */
    runs: (from: number, to: number) =>
      Stream.suspend(() => {
        let [next, waiting] = [from, new Array<Batches.RowFrame>()]
        const ends = () => next % c.steps_per_run === 0 || next === to || refreshes(next)
        const complete = (rows: Batches.RowFrame): ReadonlyArray<Batches.RowFrame> => {
          next++
          waiting.push(rows)
          return ends() ? waiting.splice(0) : []
        }
        return steps(from, to).pipe(Stream.map(complete), Stream.filter((run) => run.length > 0))
      }),
    /**
     * The gradient norm of every group, from the first batch in which it is non-zero; fails if a group has none in any
     * batch. Several batches are tried because one may have no signal: the reader may find all of its passages equally
     * good.
     */
    gate: Effect.gen(function*() {
      const norms = new Map<string, number>()
      const batches = Math.min(GATE, c.max_steps, Math.ceil(epochs(0).length / stepSize(c)))
      const unseen = () => [...norms].filter(([, norm]) => norm === 0).map(([name]) => name)
      for (let step = 0; step < batches && (step === 0 || unseen().length > 0); step++) {
        yield* Stream.runForEach(steps(step, step + 1), (rows) =>
          Effect.map(gate(rows), (found) => {
            for (const [name, norm] of found) norms.set(name, norms.get(name) || norm)
          }))
      }
      const dead = unseen()
      return dead.length > 0 ? yield* new DeadGradient({ groups: dead, batches }) : norms
    }),
    /** Figures of a step to report; `undefined` for its losses. */
    figures,
    refreshes,
    /** The steps of a run: `steps_per_run` as one program run, fewer one by one. */
    learn: (run: ReadonlyArray<Batches.RowFrame>) =>
      c.steps_per_run === 1
        ? Effect.map(learn(run[0]!), (learned) => [learned])
        : learnSeveral(run, run.length === c.steps_per_run)
  }
})
