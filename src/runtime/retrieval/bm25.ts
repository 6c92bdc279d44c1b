/** Retrieval by BM25: the lexical baseline. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { scorer } from "../../domain/bm25.ts"
import { TopK } from "../../domain/topK.ts"
import { Passages } from "../ports/Passages.ts"
import { Retriever } from "../ports/Retriever.ts"

type Score = ReturnType<typeof scorer>

/** The best passages of each question, one question after the other. */
const search = (score: Score, questions: ReadonlyArray<string>, k: number) => {
  const best = new TopK(questions.length, k)
  questions.forEach((question, q) => score(question).forEach((own, doc) => best.offer(q, doc, own)))
  return { docs: best.docs, scores: best.scores }
}

/** Scores of given passages: docs [questions, n] -> [questions, n]. */
const scoresOf = (score: Score, questions: ReadonlyArray<string>, docs: Int32Array): Float32Array => {
  const n = docs.length / questions.length
  const found = new Float32Array(docs.length)
  questions.forEach((question, q) => {
    const own = score(question)
    for (let i = q * n; i < (q + 1) * n; i++) found[i] = own[docs[i]!]!
  })
  return found
}

/** A retriever by BM25 over the corpus; it has no weights, so that its index never changes. */
export const layer: Layer.Layer<Retriever, never, Passages> = Layer.effect(
  Retriever,
  Effect.map(Passages, ({ texts }) => {
    const score = scorer(texts)
    return Retriever.of({
      search: (questions, k) => Effect.sync(() => search(score, questions, k)),
      score: (questions, docs) => Effect.sync(() => scoresOf(score, questions, docs)),
      refresh: Effect.succeed(0)
    })
  })
)
