/** Update: both learners take one step, each from the columns that concern it. No gradient passes between them. */
import * as Effect from "effect/Effect"
import type { Columns } from "../domain/Columns.ts"
import * as Frame from "../domain/Frame.ts"
import { Draw, Lesson, Preference, Question, Target } from "../domain/tables.ts"
import { ReaderLearner, type ReaderLesson } from "../runtime/ports/Reader.ts"
import { RetrieverLearner, type RetrieverLesson } from "../runtime/ports/Retriever.ts"
import * as Stage from "./Stage.ts"

/** What each model learns from a batch. */
export interface Lessons {
  readonly retriever: RetrieverLesson
  readonly reader: ReaderLesson
}

/** Columns side by side: [rows, a] and [rows, b] as [rows, a + b]. */
const beside = (left: Int32Array, right: Int32Array, rows: number): Int32Array => {
  const [a, b] = [left.length / rows, right.length / rows]
  const both = new Int32Array(left.length + right.length)
  for (let r = 0; r < rows; r++) {
    both.set(left.subarray(r * a, (r + 1) * a), r * (a + b))
    both.set(right.subarray(r * b, (r + 1) * b), r * (a + b) + a)
  }
  return both
}

const common = (m: number, c: number) => ({ ...Question, ...Draw(m, c) })

const shared = (rows: Frame.Frame<ReturnType<typeof common>>) => {
  const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
  const reader = { questions, options, answers: Frame.column(rows, "answer"), context: Frame.column(rows, "context") }
  return { queries: Frame.column(rows, "query"), reader }
}

/** What each learner is to be taught from a frame. */
export interface Teaching<I extends Columns> {
  readonly needs: I
  readonly lessons: (rows: Frame.Frame<I>) => Lessons
}

/** By pairs: the retriever compares the drawn passages on the scale that the extreme candidates fix. */
export const byPairs = (m: number, c: number) => ({
  needs: { ...common(m, c), ...Preference(m) },
  lessons: (rows: Frame.Frame<ReturnType<typeof common> & ReturnType<typeof Preference>>): Lessons => {
    const { queries, reader } = shared(rows)
    const docs = beside(Frame.column(rows, "drawn"), Frame.column(rows, "extremes"), rows.rows)
    const objective = { _tag: "Pairwise", m, weights: Frame.column(rows, "preference") } as const
    return { reader, retriever: { questions: queries, docs, objective } }
  }
})

/** By a distribution over the drawn passages. */
export const byTarget = (m: number, c: number) => ({
  needs: { ...common(m, c), ...Target(m) },
  lessons: (rows: Frame.Frame<ReturnType<typeof common> & ReturnType<typeof Target>>): Lessons => {
    const { queries, reader } = shared(rows)
    const objective = { _tag: "Listwise", target: Frame.column(rows, "target") } as const
    return { reader, retriever: { questions: queries, docs: Frame.column(rows, "drawn"), objective } }
  }
})

/** One step of both learners; needs a `RetrieverLearner` and a `ReaderLearner`. */
export const update = <I extends Columns>({ lessons, needs }: Teaching<I>) =>
  Stage.make("update", {
    needs,
    adds: Lesson,
    run: Effect.fnUntraced(function*(rows) {
      const { reader, retriever } = lessons(rows)
      const retrieverLoss = yield* (yield* RetrieverLearner).learn(retriever)
      const readerLoss = yield* (yield* ReaderLearner).learn(reader)
      return { retrieverLoss, readerLoss }
    })
  })

/** The gradient norms both learners would have on these rows; fails where one is no finite number. */
export const gate = Effect.fnUntraced(function*({ reader, retriever }: Lessons) {
  const ofRetriever = yield* (yield* RetrieverLearner).gate(retriever)
  const ofReader = yield* (yield* ReaderLearner).gate(reader)
  return new Map([...ofRetriever, ...ofReader])
})
