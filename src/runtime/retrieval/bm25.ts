/** BM25 retrieval: the lexical baseline. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Counting, type Score } from "../../domain/bm25.ts"
import { TopK } from "../../domain/topK.ts"
import { checkRow, Corpus } from "../ports/Corpus.ts"
import { Retriever } from "../ports/Retriever.ts"
import { queryTexts } from "./queryTexts.ts"

/** The best passages of each question. */
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
    for (let i = q * n; i < (q + 1) * n; i++) {
      if (docs[i] !== -1) checkRow(docs[i]!, own.length)
      found[i] = docs[i] === -1 ? -Infinity : own[docs[i]!]!
    }
  })
  return found
}

/** A BM25 retriever over the corpus; without weights, so its index never changes. */
export const layer = Layer.effect(
  Retriever,
  Effect.gen(function*() {
    const { all } = yield* Corpus
    const each = (take: (text: string) => void) =>
      Stream.runForEachArray(all, (some) => Effect.sync(() => some.forEach(({ text }) => take(text))))
    const counting = new Counting()
    yield* each(counting.add)
    const listing = counting.done()
    yield* each(listing.add)
    const score = listing.done()
    const texts = queryTexts()
    return Retriever.of({
      search: (queries, k) => Effect.map(texts(queries), (own) => search(score, own, k)),
      score: (queries, docs) => Effect.map(texts(queries), (own) => scoresOf(score, own, docs)),
      refresh: Effect.succeed(0)
    })
  })
)
