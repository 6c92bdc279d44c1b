/** The pipelines: how a training step processes a question, and how a question is answered. */
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import type { Columns } from "../domain/Columns.ts"
import { column, type Frame } from "../domain/Frame.ts"
import type { Candidates, Lesson, Question } from "../domain/tables.ts"
import { answer, answering, type AnswerOptions, supportOf } from "./answer.ts"
import { candidatesOf, type ContrastOptions, drawContrast } from "./contrast.ts"
import type { PromptOptions } from "./prompt.ts"
import { attend, read, readWithout } from "./read.ts"
import { readInfluence, readOrders } from "./readAgain.ts"
import { retrieve, type RetrieveOptions } from "./retrieve.ts"
import { sample, type SampleOptions } from "./sample.ts"
import {
  adist,
  goldTarget,
  llmRank,
  loop,
  pdist,
  posterior,
  type RankOptions,
  replug,
  verdictTarget,
  type VerdictTargetOptions
} from "./score.ts"
import * as Stage from "./Stage.ts"
import { drawInBatch, drawOracle, drawWithGold, findGold } from "./supervise.ts"
import {
  byContext,
  byContrast,
  byLogTarget,
  byPairs,
  byTarget,
  type ContrastGoal,
  gate,
  type Teaching,
  update,
  updates
} from "./update.ts"
import { labelVerdicts, readVerdicts, type VerdictCache, type VerdictOptions } from "./verdicts.ts"

/** Options of a training step. */
export interface StudyOptions extends SampleOptions, RankOptions, RetrieveOptions, PromptOptions {
  readonly temperatureGold: number
  readonly temperatureScore: number
}

/** A training step: the stages before the update, and what the update trains on. */
export const trainingStep = <O extends Columns, E, R, I extends Columns>(
  study: Stage.Stage<typeof Question, O, E, R>,
  teaching: typeof Question & O extends I ? Teaching<I> : never
) => {
  const [lesson, lessons] = [update(teaching as Teaching<I>), updates(teaching as Teaching<I>)]
  return {
    /** The stages before the update. */
    study,
    /** Runs the stages and the update: one step. */
    learn: (rows: Frame<typeof Question>) =>
      study.run(rows).pipe(
        Effect.flatMap((studied) => lesson.run(studied as unknown as Frame<I>)),
        Effect.map((learned) => learned as unknown as Frame<typeof Question & O & typeof Lesson>)
      ),
    /** Runs the stages of several steps, then their updates, in one program if `together`. */
    learnSeveral: (steps: ReadonlyArray<Frame<typeof Question>>, together: boolean) =>
      Effect.forEach(steps, study.run).pipe(
        Effect.flatMap((studied) => lessons(studied as unknown as ReadonlyArray<Frame<I>>, together)),
        Effect.map((learned) => learned as unknown as ReadonlyArray<Frame<typeof Question & O & typeof Lesson>>)
      ),
    /** Runs the stages and returns the gradient norm of every trainable group, without an update. */
    gate: (rows: Frame<typeof Question>) =>
      study.run(rows).pipe(
        Effect.flatMap((studied) => (teaching as Teaching<I>).lessons(studied as unknown as Frame<I>)),
        Effect.flatMap(gate)
      )
  }
}

const drawn = (o: StudyOptions) => pipe(retrieve(o), Stage.andThen(sample(o)))
const candidates = (o: StudyOptions) => pipe(drawn(o), Stage.andThen(read(o.m, o)))

/** JMLR: the reader's likelihood of the answer given each passage ranks the passages. */
export const llmRanked = (o: StudyOptions) =>
  trainingStep(pipe(candidates(o), Stage.andThen(llmRank(o.m, o))), byPairs(o.m, o.c, o))

/** Atlas: the retriever's distribution follows the reader's likelihoods. */
export const distilled = (o: StudyOptions) =>
  trainingStep(pipe(candidates(o), Stage.andThen(pdist(o.m, o.temperatureGold))), byTarget(o.m, o.c, o))

/** The same with the retriever's own distribution as prior; EMDR2 with a temperature of 1. */
export const marginal = (o: StudyOptions) =>
  trainingStep(
    pipe(candidates(o), Stage.andThen(posterior(o.m, o.n, o.temperatureGold, o.temperatureScore))),
    byTarget(o.m, o.c, o)
  )

/** Atlas: the retriever's distribution follows what the answer loses without each passage. */
export const leavingOneOut = (o: StudyOptions) =>
  trainingStep(
    pipe(drawn(o), Stage.andThen(readWithout(o.m, o)), Stage.andThen(loop(o.m, o.temperatureGold))),
    byTarget(o.m, o.c, o)
  )

/** How a step learns from verdicts; at most `k` options a question. */
export type VerdictStudyOptions =
  & SampleOptions
  & RetrieveOptions
  & VerdictOptions
  & VerdictTargetOptions
  & { readonly k: number }

/** The same by what passages say themselves, for captions that are labels: an upper line for what a reader's verdicts can teach. */
export const labelWeighted = (o: VerdictStudyOptions) =>
  trainingStep(
    pipe(
      retrieve(o),
      Stage.andThen(sample(o)),
      Stage.andThen(labelVerdicts(o.m, o.k)),
      Stage.andThen(verdictTarget(o.m, o.n, o.k, o))
    ),
    byTarget(o.m, o.c, o)
  )

/** JOMED: the reader's verdict on each passage re-weighs the retriever's ranking. The cache is for a frozen reader. */
export const verdictWeighted = (o: VerdictStudyOptions, cache?: VerdictCache) =>
  trainingStep(
    pipe(
      retrieve(o),
      Stage.andThen(sample(o)),
      Stage.andThen(readVerdicts(o.m, o.k, o, cache)),
      Stage.andThen(verdictTarget(o.m, o.n, o.k, o))
    ),
    byTarget(o.m, o.c, o)
  )

/** Atlas: the retriever's distribution follows how much the answer attends to each passage. */
export const attentive = (o: StudyOptions) =>
  trainingStep(
    pipe(drawn(o), Stage.andThen(attend(o.m, o)), Stage.andThen(adist(o.m, o.temperatureGold))),
    byTarget(o.m, o.c, o)
  )

/** REPLUG LSR: the retriever's distribution diverges the least from that of the likelihoods. */
export const replugged = (o: StudyOptions) =>
  trainingStep(pipe(candidates(o), Stage.andThen(replug(o.m, o.temperatureGold))), byLogTarget(o.m, o.c, o))

/** Trains only the reader, on passages that nothing learns to find: none is judged. */
export const readerAlone = (o: StudyOptions) => trainingStep(drawn(o), byContext(o.m, o.c, o))

/** Supervised by gold passages, with retrieved ones as negatives. */
export const goldSupervised = (o: StudyOptions) =>
  trainingStep(
    pipe(retrieve(o), Stage.andThen(drawWithGold(o.n, o.m, o.c, o.seed)), Stage.andThen(goldTarget(o.m))),
    byTarget(o.m, o.c, o)
  )

/** Supervised by gold passages, with in-batch negatives. */
export const inBatch = (b: number, o: PromptOptions) =>
  trainingStep(pipe(drawInBatch(b), Stage.andThen(goldTarget(b))), byTarget(b, 1, o))

/** Contrastive training of the retriever on positives and hard negatives. */
export const contrastive = (o: ContrastOptions & ContrastGoal) =>
  trainingStep(drawContrast(o), byContrast(candidatesOf(o), o.b, o))

/** Trains only the reader, on gold passages. */
export const oracle = (c: number, passages: number, seed: number, o: PromptOptions) =>
  trainingStep(pipe(drawOracle(c, passages, seed), Stage.andThen(goldTarget(1))), byTarget(1, c, o))

/**
 * Retrieval, then the reader's choice from the `c` best of `n`: as columns, or as events while it is made. `alone` is its choice
 * given one passage, which stands in `docs`; `orders` and `influence` read again what has been answered.
 */
const answered = <E, R>(
  find: Stage.Stage<typeof Question, ReturnType<typeof Candidates>, E, R>,
  n: number,
  c: number,
  o: AnswerOptions
) => ({
  stage: pipe(find, Stage.andThen(answer(n, c, o))),
  alone: answer(1, 1, o),
  orders: (count: number, seed: number) => readOrders(c, { count, seed }, o),
  influence: readInfluence(c, o),
  /** The passages behind each answer, best last, and the events of answering. */
  tell: (rows: Frame<typeof Question>) =>
    Effect.map(find.run(rows), (found) => {
      const support = supportOf(column(found, "docs"), n, c)
      const [questions, images] = [column(rows, "question"), column(rows, "image")]
      return { support, events: answering(o)({ questions, images, options: column(rows, "options"), support }) }
    })
})

/** The reader's choice given at most `c` gold passages: an upper bound for retrieval. */
export const answerGold = (c: number, o: AnswerOptions) => answered(findGold(c), c, c, o)

/** Inference: the best passages without sampling, then the reader's choice. */
export const answerOne = (o: Pick<StudyOptions, "n" | "c" | "rerank" | "exclude"> & AnswerOptions) =>
  answered(retrieve(o), o.n, o.c, o)
