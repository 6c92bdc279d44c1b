/** What the compiler says of pipelines. Nothing here runs: `tsc` fails where an expected error is not one. */
import type * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import { integer, reals } from "../../src/domain/Columns.ts"
import * as Frame from "../../src/domain/Frame.ts"
import { type Candidates, Question } from "../../src/domain/tables.ts"
import type { Corpus, CorpusError } from "../../src/runtime/ports/Corpus.ts"
import type { LanguageModel, LanguageModelError, LanguageModelLearner } from "../../src/runtime/ports/LanguageModel.ts"
import type { Retriever, RetrieverError, RetrieverLearner } from "../../src/runtime/ports/Retriever.ts"
import { answer, type AnswerOptions } from "../../src/stages/answer.ts"
import {
  answerGold,
  answerOne,
  inBatch,
  llmRanked,
  type StudyOptions,
  trainingStep
} from "../../src/stages/pipelines.ts"
import { read } from "../../src/stages/read.ts"
import { retrieve } from "../../src/stages/retrieve.ts"
import { sample, type SampleOptions } from "../../src/stages/sample.ts"
import { llmRank } from "../../src/stages/score.ts"
import * as Stage from "../../src/stages/Stage.ts"
import { findGold } from "../../src/stages/supervise.ts"
import { byPairs, update } from "../../src/stages/update.ts"
import type { Equals } from "./equals.ts"

declare const options: StudyOptions & AnswerOptions
declare const draw: SampleOptions
declare const questions: Frame.Frame<typeof Question>
const finding = retrieve({ n: 4, rerank: false })
const rank = llmRank(2, { ties: "skip", mean: "pairs" })

// A stage that asks for what no stage before it adds is refused, and the column is named.

export const inOrder = pipe(finding, Stage.andThen(sample(draw)), Stage.andThen(read(2, options)), Stage.andThen(rank))
// @ts-expect-error: `read` needs `drawn`, which `sample` adds
export const withoutSample = pipe(finding, Stage.andThen(read(2, options)))
// @ts-expect-error: `score` needs `nll`, which `read` adds
export const withoutRead = pipe(finding, Stage.andThen(sample(draw)), Stage.andThen(rank))
// @ts-expect-error: `update` by pairs needs `preference`, which `score` adds
export const withoutScore = pipe(finding, Stage.andThen(sample(draw)), Stage.andThen(update(byPairs(2, 1, options))))
// @ts-expect-error: `answer` needs `docs`, which `retrieve` adds
export const withoutRetrieve = answer(4, 1, options).run(questions)
// @ts-expect-error: what is studied lacks `drawn`, `context` and `preference`
export const taughtTooEarly = trainingStep(findGold(1), byPairs(2, 1, options))

const thenRead = Stage.andThen(read(2, options))
type Refused = Parameters<typeof thenRead<typeof Question, ReturnType<typeof Candidates>, never, never>>[0]
export const named: Equals<Refused["missing"], "drawn"> = true

// A row keeps what was in it, and gains what the stages add; nothing else can be read of it.

declare const answered: Effect.Success<ReturnType<typeof answerFirst>>
const answerFirst = () => answerOne({ ...options, n: 4, c: 1 }).stage.run(questions)
export const kept: ReadonlyArray<string> = Frame.column(answered, "question")
export const gained: ReadonlyArray<string> = Frame.column(answered, "prediction")
// @ts-expect-error: nothing was learned
export const notThere = Frame.column(answered, "readerLoss")

// A stage adds the columns it declares, all of them, of their types.

export const wellMade = Stage.make("s", {
  needs: Question,
  adds: { a: integer },
  run: () => effect({ a: new Int32Array(1) })
})
export const adds = { a: reals(2) }
// @ts-expect-error: the column holds floats
export const illTyped = Stage.make("s", { needs: Question, adds, run: () => effect({ a: new Int32Array(2) }) })
// @ts-expect-error: the column is not there
export const forgotten = Stage.make("s", { needs: Question, adds, run: () => effect({}) })
declare const effect: <A>(a: A) => Effect.Effect<A>

// The errors of a pipeline are those of the ports it uses, and so are its services.

const learning = () => llmRanked(options).learn(questions)
const answering = () => answerOne(options).stage.run(questions)
const answeringGold = () => answerGold(1, options).stage.run(questions)
const warming = () => inBatch(2, options).learn(questions)
const gating = () => llmRanked(options).gate(questions)

type ErrorOf<F extends () => Effect.Effect<any, any, any>> = Effect.Error<ReturnType<F>>
type NeedsOf<F extends () => Effect.Effect<any, any, any>> = Effect.Services<ReturnType<F>>

export const errors: readonly [
  Equals<ErrorOf<typeof learning>, RetrieverError | LanguageModelError | CorpusError>,
  Equals<ErrorOf<typeof answering>, RetrieverError | LanguageModelError | CorpusError>,
  Equals<ErrorOf<typeof answeringGold>, LanguageModelError | CorpusError>,
  Equals<ErrorOf<typeof warming>, RetrieverError | LanguageModelError | CorpusError>,
  Equals<ErrorOf<typeof gating>, RetrieverError | LanguageModelError | CorpusError>
] = [true, true, true, true, true]

export const services: readonly [
  Equals<NeedsOf<typeof learning>, Retriever | LanguageModel | RetrieverLearner | LanguageModelLearner | Corpus>,
  Equals<NeedsOf<typeof answering>, Retriever | LanguageModel | Corpus>,
  Equals<NeedsOf<typeof answeringGold>, LanguageModel | Corpus>,
  Equals<NeedsOf<typeof warming>, RetrieverLearner | LanguageModelLearner | Corpus>
] = [true, true, true, true]
