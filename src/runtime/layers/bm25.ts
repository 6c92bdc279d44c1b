/** BM25 (Robertson & Zaragoza 2009) in Lucene's form: the lexical baseline. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Passages } from "../ports/Passages.ts"
import { Retriever } from "../ports/Retriever.ts"
import { topK } from "./vectorIndex.ts"

/** Lucene's defaults. */
const [K1, B] = [0.9, 0.4]

/** Runs of letters and digits, in lower case. */
export const words = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

interface Posting {
  readonly docs: Array<number>
  readonly counts: Array<number>
}

const invert = (
  texts: ReadonlyArray<string>
): { readonly postings: Map<string, Posting>; readonly lengths: Int32Array } => {
  const postings = new Map<string, Posting>()
  const lengths = new Int32Array(texts.length)
  texts.forEach((text, doc) => {
    const found = words(text)
    lengths[doc] = found.length
    for (const word of found) {
      const posting = postings.get(word) ?? { docs: [], counts: [] }
      postings.set(word, posting)
      if (posting.docs.at(-1) === doc) posting.counts[posting.counts.length - 1]!++
      else {
        posting.docs.push(doc)
        posting.counts.push(1)
      }
    }
  })
  return { postings, lengths }
}

/** Scores of every passage for a question: Σ over its words of idf · tf/(tf + k1 (1 - b + b · length/mean)). */
export const scorer = (texts: ReadonlyArray<string>): (question: string) => Float32Array => {
  const { lengths, postings } = invert(texts)
  const mean = lengths.reduce((a, b) => a + b, 0) / texts.length
  return (question) => {
    const scores = new Float32Array(texts.length)
    for (const word of words(question)) {
      const { counts, docs } = postings.get(word) ?? { docs: [], counts: [] }
      const idf = Math.log(1 + (texts.length - docs.length + 0.5) / (docs.length + 0.5))
      docs.forEach((doc, i) => {
        const tf = counts[i]!
        scores[doc]! += idf * tf / (tf + K1 * (1 - B + B * lengths[doc]! / mean))
      })
    }
    return scores
  }
}

export const layer: Layer.Layer<Retriever, never, Passages> = Layer.effect(
  Retriever,
  Effect.map(Passages, ({ texts }) => {
    const score = scorer(texts)
    return Retriever.of({
      search: (questions, k) =>
        Effect.sync(() => {
          const all = new Float32Array(questions.length * texts.length)
          questions.forEach((question, q) => all.set(score(question), q * texts.length))
          return topK(all, questions.length, k)
        }),
      score: (questions, docs) =>
        Effect.sync(() => {
          const own = questions.map(score)
          const n = docs.length / questions.length
          return Float32Array.from(docs, (doc, i) => own[Math.floor(i / n)]![doc]!)
        }),
      refresh: Effect.succeed(0)
    })
  })
)
