/** Update: one optimiser step for each learner, on its own columns. No gradient passes between the two. */
import * as Effect from "effect/Effect"
import type { Columns } from "../domain/Columns.ts"
import * as Frame from "../domain/Frame.ts"
import { Contrast, Draw, Lesson, LogTarget, Preference, Question, Target } from "../domain/tables.ts"
import type { Corpus, CorpusError } from "../runtime/ports/Corpus.ts"
import { LanguageModelLearner, type LanguageModelLesson } from "../runtime/ports/LanguageModel.ts"
import { RetrieverLearner, type RetrieverLesson } from "../runtime/ports/Retriever.ts"
import { ask, type PromptOptions, readPassages, targetOf } from "./prompt.ts"
import { queriesOf } from "./retrieve.ts"
import * as Stage from "./Stage.ts"

/** What each model is trained on. */
export interface Lessons {
  readonly retriever: RetrieverLesson
  readonly reader: LanguageModelLesson
  /** The row of each of the reader's examples; of example i row i, if omitted. */
  readonly rowOf?: ReadonlyArray<number>
}

/** Losses by row: the mean over each row's examples, 0 where it has none. */
const byRow = (losses: Float32Array, rows: number, rowOf: Lessons["rowOf"]): Float32Array => {
  if (rowOf === undefined) return losses
  const [sums, counts] = [new Float32Array(rows), new Float32Array(rows)]
  rowOf.forEach((row, i) => {
    sums[row]! += losses[i]!
    counts[row]!++
  })
  return sums.map((sum, row) => sum / Math.max(1, counts[row]!))
}

/** Concatenates columns: [rows, a] and [rows, b] to [rows, a + b]. */
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

/** The reader's training batch: prompts with their passages, and answers. */
const readerLesson = Effect.fnUntraced(function*(
  o: PromptOptions,
  rows: Frame.Frame<
    Pick<ReturnType<typeof common>, "question" | "image" | "options" | "answer" | "explanation" | "context">
  >
) {
  const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
  const [answers, explanations] = [Frame.column(rows, "answer"), Frame.column(rows, "explanation")]
  const images = Frame.column(rows, "image")
  const context = Frame.column(rows, "context")
  const c = context.length / rows.rows
  const passages = yield* readPassages(context)
  const asked = questions.map((question, q) => ({ question, options: options[q]!, image: images[q]! }))
  return {
    prompts: asked.map((own, q) => ask(o, passages(context.subarray(q * c, (q + 1) * c)), own)),
    continuations: asked.map((own, q) => targetOf(o, own, { answer: answers[q]!, explanation: explanations[q]! }))
  } satisfies LanguageModelLesson
})

/** Builds both learners' training batches from a frame. */
export interface Teaching<I extends Columns> {
  readonly needs: I
  readonly lessons: (rows: Frame.Frame<I>) => Effect.Effect<Lessons, CorpusError, Corpus>
}

/** Pairwise objective: compares the drawn passages on the scale fixed by the extreme candidates. */
export const byPairs = (m: number, c: number, o: PromptOptions) => ({
  needs: { ...common(m, c), ...Preference(m) },
  lessons: (rows: Frame.Frame<ReturnType<typeof common> & ReturnType<typeof Preference>>) =>
    Effect.map(readerLesson(o, rows), (reader): Lessons => {
      const docs = beside(Frame.column(rows, "drawn"), Frame.column(rows, "extremes"), rows.rows)
      const objective = { _tag: "Pairwise", m, weights: Frame.column(rows, "preference") } as const
      return { reader, retriever: { queries: queriesOf(rows), docs, objective } }
    })
})

/** Listwise objective: a target distribution over the drawn passages. */
export const byTarget = (m: number, c: number, o: PromptOptions) => ({
  needs: { ...common(m, c), ...Target(m) },
  lessons: (rows: Frame.Frame<ReturnType<typeof common> & ReturnType<typeof Target>>) =>
    Effect.map(readerLesson(o, rows), (reader): Lessons => {
      const objective = { _tag: "Listwise", target: Frame.column(rows, "target") } as const
      return {
        reader,
        retriever: { queries: queriesOf(rows), docs: Frame.column(rows, "drawn"), objective }
      }
    })
})

/** Listwise the other way: the divergence of the scores from the reader's distribution over the drawn passages. */
export const byLogTarget = (m: number, c: number, o: PromptOptions) => ({
  needs: { ...common(m, c), ...LogTarget(m) },
  lessons: (rows: Frame.Frame<ReturnType<typeof common> & ReturnType<typeof LogTarget>>) =>
    Effect.map(readerLesson(o, rows), (reader): Lessons => {
      const objective = { _tag: "Reverse", logTarget: Frame.column(rows, "logTarget") } as const
      return { reader, retriever: { queries: queriesOf(rows), docs: Frame.column(rows, "drawn"), objective } }
    })
})

/** The reader's prompts alone; the retriever has nothing to learn. */
export const byContext = (m: number, c: number, o: PromptOptions) => ({
  needs: common(m, c),
  lessons: (rows: Frame.Frame<ReturnType<typeof common>>) =>
    Effect.map(readerLesson(o, rows), (reader): Lessons => {
      const docs = Frame.column(rows, "drawn")
      const objective = { _tag: "Listwise", target: new Float32Array(docs.length) } as const
      return { reader, retriever: { queries: queriesOf(rows), docs, objective } }
    })
})

/** What contrast asks for: queries ranked for passages too, or a teacher's margins. */
export interface ContrastGoal {
  readonly both: boolean
  readonly margins: boolean
}

/** Contrast: the retriever alone learns. */
export const byContrast = (n: number, b: number, { both, margins }: ContrastGoal) => ({
  needs: { ...Question, ...Contrast(n, b) },
  lessons: (rows: Frame.Frame<typeof Question & ReturnType<typeof Contrast>>) =>
    Effect.sync((): Lessons => {
      const queries = queriesOf(rows)
      const target = Frame.column(rows, "target")
      const askers = both ? { askers: Uint8Array.from(Frame.column(rows, "askers")) } : {}
      const own = Uint8Array.from(Frame.column(rows, "own"))
      return {
        reader: { prompts: queries.map(() => []), continuations: queries.map(() => "") },
        retriever: {
          queries,
          docs: Frame.column(rows, "candidates"),
          objective: margins ? { _tag: "Margins", scores: target } : { _tag: "Listwise", target, own, ...askers }
        }
      }
    })
})

/** One step of both learners; needs a `RetrieverLearner` and a `LanguageModelLearner`. */
export const update = <I extends Columns>({ lessons, needs }: Teaching<I>) =>
  Stage.make("update", {
    needs,
    adds: Lesson,
    run: Effect.fnUntraced(function*(rows) {
      const { reader, retriever, rowOf } = yield* lessons(rows)
      const retrieverLoss = yield* (yield* RetrieverLearner).learn(retriever)
      const readerLosses = yield* (yield* LanguageModelLearner).learn(reader)
      return { retrieverLoss, readerLoss: byRow(readerLosses, rows.rows, rowOf) }
    })
  })

interface Several<L, E> {
  readonly learn: (lesson: L) => Effect.Effect<Float32Array, E>
  readonly learnSeveral?: (lessons: ReadonlyArray<L>) => Effect.Effect<ReadonlyArray<Float32Array>, E>
}
const several = <L, E>({ learn, learnSeveral }: Several<L, E>, lessons: ReadonlyArray<L>, together: boolean) =>
  together && learnSeveral ? learnSeveral(lessons) : Effect.forEach(lessons, learn)

/** Successive updates from frames whose stages all ran before the first update; in one program if `together`. */
export const updates = <I extends Columns>({ lessons }: Teaching<I>) =>
  Effect.fnUntraced(function*(frames: ReadonlyArray<Frame.Frame<I>>, together: boolean) {
    const all = yield* Effect.forEach(frames, lessons)
    const alike = together && frames.every(({ rows }) => rows === frames[0]!.rows)
    const retrieverLosses = yield* several(yield* RetrieverLearner, all.map(({ retriever }) => retriever), alike)
    const readerLosses = yield* several(yield* LanguageModelLearner, all.map(({ reader }) => reader), alike)
    return frames.map((rows, k) =>
      Frame.append(rows, Lesson, {
        retrieverLoss: retrieverLosses[k]!,
        readerLoss: byRow(readerLosses[k]!, rows.rows, all[k]!.rowOf)
      })
    )
  })

/** The gradient norms of both learners on these rows, without an update; fails if one is not finite. */
export const gate = Effect.fnUntraced(function*({ reader, retriever }: Lessons) {
  const ofRetriever = yield* (yield* RetrieverLearner).gate(retriever)
  const ofReader = yield* (yield* LanguageModelLearner).gate(reader)
  return new Map([...ofRetriever, ...ofReader])
})
