/** The sentences of the system: how a question is studied, and how it is answered. */
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import type { Columns } from "../domain/Columns.ts"
import type { Frame } from "../domain/Frame.ts"
import type { Lesson, Question } from "../domain/tables.ts"
import { answer } from "./answer.ts"
import { read } from "./read.ts"
import { retrieve, type RetrieveOptions } from "./retrieve.ts"
import { sample, type SampleOptions } from "./sample.ts"
import { goldTarget, llmRank, pdist, type RankOptions } from "./score.ts"
import * as Stage from "./Stage.ts"
import { drawInBatch, drawOracle, drawWithGold, findGold } from "./supervise.ts"
import { byPairs, byTarget, gate, type Teaching, update } from "./update.ts"

/** How a question is studied. */
export interface StudyOptions extends SampleOptions, RankOptions, RetrieveOptions {
  readonly temperatureGold: number
}

/** A way to study: everything before the update, and what the update teaches from it. */
export const curriculum = <O extends Columns, E, R, I extends Columns>(
  study: Stage.Stage<typeof Question, O, E, R>,
  teaching: typeof Question & O extends I ? Teaching<I> : never
) => {
  const lesson = update(teaching as Teaching<I>)
  return {
    /** Studies and learns: one step. */
    learn: (rows: Frame<typeof Question>) =>
      study.run(rows).pipe(
        Effect.flatMap((studied) => lesson.run(studied as unknown as Frame<I>)),
        Effect.map((learned) => learned as unknown as Frame<typeof Question & O & typeof Lesson>)
      ),
    /** Studies, and tells the gradient norm of every group that should learn. */
    gate: (rows: Frame<typeof Question>) =>
      study.run(rows).pipe(
        Effect.flatMap((studied) => gate((teaching as Teaching<I>).lessons(studied as unknown as Frame<I>)))
      )
  }
}

const candidates = (o: StudyOptions) => pipe(retrieve(o), Stage.andThen(sample(o)), Stage.andThen(read(o.m)))

/** JMLR: the reader's likelihood of the answer given each passage ranks the passages. */
export const llmRanked = (o: StudyOptions) =>
  curriculum(pipe(candidates(o), Stage.andThen(llmRank(o.m, o))), byPairs(o.m, o.c))

/** Atlas: the retriever's distribution follows the reader's likelihoods. */
export const distilled = (o: StudyOptions) =>
  curriculum(pipe(candidates(o), Stage.andThen(pdist(o.m, o.temperatureGold))), byTarget(o.m, o.c))

/** Supervision by gold passages among retrieved ones. */
export const goldSupervised = (o: StudyOptions) =>
  curriculum(
    pipe(retrieve(o), Stage.andThen(drawWithGold(o.n, o.m, o.c, o.seed)), Stage.andThen(goldTarget(o.m))),
    byTarget(o.m, o.c)
  )

/** Supervision by gold passages against those of the same batch. */
export const inBatch = (b: number) => curriculum(pipe(drawInBatch(b), Stage.andThen(goldTarget(b))), byTarget(b, 1))

/** The reader alone, from gold passages. */
export const oracle = (c: number, passages: number, seed: number) =>
  curriculum(pipe(drawOracle(c, passages, seed), Stage.andThen(goldTarget(1))), byTarget(1, c))

/** The reader's choice given the gold passages, at most `c`: the most that retrieval could do for it. */
export const answerGold = (c: number, explains = false) => pipe(findGold(c), Stage.andThen(answer(c, c, explains)))

/** Inference: the best passages as they are, then the reader's choice. */
export const answerOne = (o: Pick<StudyOptions, "n" | "c" | "rerank"> & { readonly explains?: boolean }) =>
  pipe(retrieve(o), Stage.andThen(answer(o.n, o.c, o.explains)))
