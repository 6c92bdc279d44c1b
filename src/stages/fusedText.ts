/** Free answers that a question's passages write together, each read alone (JOMED's fusion of open answers). */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Fusion, LanguageModel } from "../runtime/ports/LanguageModel.ts"
import { type AnswerOptions, understood } from "./answer.ts"
import { ask, type Asked, readPassages, toAnswer } from "./prompt.ts"

/** A question with passages and their weights, of the same length; -1 is no passage. */
export interface ToWrite {
  readonly asked: Asked
  readonly docs: Int32Array
  readonly weights: ArrayLike<number>
}

/** Weights of distinct passages: one that several heads found is read once and counts as often. */
const distinctWeights = ({ docs, weights }: ToWrite): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  docs.forEach((doc, i) => {
    if (doc >= 0) found.set(doc, (found.get(doc) ?? 0) + weights[i]!)
  })
  return found
}

/** The answers, and the text of each that was generated, where it is another; both empty where there is no passage. */
export const writeFused = Effect.fnUntraced(function*(all: ReadonlyArray<ToWrite>, by: Fusion["by"], o: AnswerOptions) {
  const reader = yield* LanguageModel
  const passages = yield* readPassages(Int32Array.from(all.flatMap(({ docs }) => Array.from(docs))))
  const pairs = all.flatMap((own, text) =>
    [...distinctWeights(own)].map(([doc, weight]) => {
      const prompt = toAnswer(o, ask(o, passages(Int32Array.of(doc)), own.asked))
      return { prompt, text, weight }
    })
  )
  const fusion = { texts: pairs.map(({ text }) => text), weights: pairs.map(({ weight }) => weight), by }
  const said = all.map(() => "")
  yield* reader.write(pairs.map(({ prompt }) => prompt), { max_new_tokens: o.max_new_tokens, fusion }).pipe(
    Stream.runForEach(({ row, text }) => Effect.sync(() => void (said[row] += text)))
  )
  return said.map((own) => understood(own.trim(), [], o))
})
