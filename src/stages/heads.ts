/** Retrievers with several heads (JOMED): what each finds, pairs that the reader learns from, and answers fused from readings. */
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import * as Stream from "effect/Stream"
import * as Frame from "../domain/Frame.ts"
import { Candidates, Question } from "../domain/tables.ts"
import { Retriever } from "../runtime/ports/Retriever.ts"
import { answer, type Event } from "./answer.ts"
import { trainingStep } from "./pipelines.ts"
import { ask, type PromptOptions, readPassages, targetOf } from "./prompt.ts"
import { queriesOf } from "./retrieve.ts"
import * as Stage from "./Stage.ts"
import type { Lessons } from "./update.ts"
import { answerFused, type FusedOptions, type VerdictCache, weigh } from "./verdicts.ts"

/** How many passages each head finds. */
export interface HeadsOptions {
  readonly heads: number
  readonly k: number
  /** Whether passages of the question's group are not to be found. */
  readonly exclude: boolean
}

/** The best `k` passages of each head, head after head; needs a `Retriever` that has them. */
export const retrieveEach = ({ exclude, heads, k }: HeadsOptions) =>
  Stage.make("retrieveEach", {
    needs: Question,
    adds: Candidates(heads * k),
    run: Effect.fnUntraced(function*(rows) {
      const { search, searchEach = search } = yield* Retriever
      const found = yield* searchEach(queriesOf(rows), k, exclude ? Frame.column(rows, "group") : undefined)
      return { docs: found.docs, docScore: found.scores }
    })
  })

/** The reader's examples of a row are its question with each of `n` passages alone; the retriever learns nothing. */
export const byPassage = (n: number, o: PromptOptions) => ({
  needs: { ...Question, ...Candidates(n) },
  lessons: Effect.fnUntraced(function*(rows: Frame.Frame<typeof Question & ReturnType<typeof Candidates>>) {
    const [questions, options] = [Frame.column(rows, "question"), Frame.column(rows, "options")]
    const [answers, docs] = [Frame.column(rows, "answer"), Frame.column(rows, "docs")]
    const [images, explanations] = [Frame.column(rows, "image"), Frame.column(rows, "explanation")]
    const passages = yield* readPassages(docs)
    const places = [...docs.keys()].filter((i) => docs[i]! >= 0)
    const rowOf = places.map((i) => Math.floor(i / n))
    const asked = questions.map((question, q) => ({ question, options: options[q]!, image: images[q]! }))
    return {
      rowOf,
      reader: {
        prompts: places.map((i, at) => ask(o, passages(docs.subarray(i, i + 1)), asked[rowOf[at]!]!)),
        continuations: rowOf.map((q) => targetOf(o, asked[q]!, { answer: answers[q]!, explanation: explanations[q]! }))
      },
      retriever: {
        queries: queriesOf(rows),
        docs,
        objective: { _tag: "Listwise", target: new Float32Array(docs.length) }
      }
    } satisfies Lessons as Lessons
  })
})

/** JOMED's first phase: the reader learns from pairs of a question and a passage that a head has found. */
export const taughtByPairs = (o: HeadsOptions & PromptOptions) =>
  trainingStep(retrieveEach(o), byPassage(o.heads * o.k, o))

/** Inference: each passage of each head is read alone, and the answers are fused; at most so many options a question. */
export const answeredByHeads = (
  o: HeadsOptions & FusedOptions & { readonly options: number },
  cache?: VerdictCache
) => {
  const { heads, k } = o
  const stage = pipe(
    retrieveEach(o),
    Stage.andThen(weigh(Array.from({ length: heads }, () => k))),
    Stage.andThen(answerFused(heads * k, o.options, o, cache))
  )
  const tell = (rows: Frame.Frame<typeof Question>) =>
    Effect.map(stage.run(rows), (answered) => {
      const [texts, places] = [Frame.column(answered, "prediction"), Frame.column(answered, "predictionIndex")]
      const [nll, written] = [Frame.column(answered, "optionNll"), Frame.column(answered, "written")]
      const events = texts.map((text, row): Event => ({
        _tag: "Chosen",
        row,
        chosen: { index: places[row]!, text, written: written[row]!, nll: nll[row]! }
      }))
      return { support: Frame.column(answered, "support"), events: Stream.fromIterable(events) }
    })
  return { stage, alone: answer(1, 1, o), tell }
}
