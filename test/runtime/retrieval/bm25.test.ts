/** BM25 against its formula, written over whole texts (Robertson & Zaragoza 2009, Lucene's form). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { fromRecords } from "../../../src/datasets/dataset.ts"
import { scorer, words } from "../../../src/domain/bm25.ts"
import { text } from "../../../src/domain/Content.ts"
import { Corpus } from "../../../src/runtime/ports/Corpus.ts"
import { Retriever } from "../../../src/runtime/ports/Retriever.ts"
import { layer } from "../../../src/runtime/retrieval/bm25.ts"
import * as Tiny from "../../support/tiny.ts"

const naive = (texts: ReadonlyArray<string>, question: string): ReadonlyArray<number> => {
  const docs = texts.map((text) => text.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean))
  const mean = docs.reduce((n, doc) => n + doc.length, 0) / docs.length
  return docs.map((doc) => {
    let score = 0
    for (const term of question.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean)) {
      const n = docs.filter((other) => other.includes(term)).length
      const idf = Math.log(1 + (docs.length - n + 0.5) / (n + 0.5))
      const tf = doc.filter((word) => word === term).length
      score += idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * doc.length / mean))
    }
    return score
  })
}

const sentence = fc.array(fc.constantFrom("gene", "GLA", "liver,", "x-linked", "copper", "of", "17q25"), {
  minLength: 1,
  maxLength: 9
}).map((parts) => parts.join(" "))

describe("BM25", () => {
  it("is the sum of idf and saturated counts over the question's words, repeated ones repeated", () => {
    fc.assert(fc.property(fc.array(sentence, { minLength: 1, maxLength: 6 }), sentence, (texts, question) => {
      const [scores, want] = [scorer(texts)(question), naive(texts, question)]
      want.forEach((score, doc) => assert.closeTo(scores[doc]!, score, 1e-5))
    }))
  })
  it("is 0 without a word in common", () => {
    assert.deepStrictEqual([...scorer(["liver copper", "gene"])("kidney")], [0, 0])
  })
  it("reads words of any script, whatever their case", () => {
    assert.deepStrictEqual(words("α-Galactosidase, GLA2: naïve"), ["α", "galactosidase", "gla2", "naïve"])
  })
  it.effect("finds what it scores highest, and scores what it is asked for alike", () =>
    Effect.gen(function*() {
      const retriever = yield* Retriever
      const questions = Tiny.questions.map((q) => q.question)
      const queries = questions.map((question) => [text(question)])
      const { docs, scores } = yield* retriever.search(queries, 4)
      assert.deepStrictEqual(yield* retriever.score(queries, docs), scores)
      questions.forEach((question, q) => {
        const ranked = [...naive(Tiny.passages.map((p) => p.text), question).entries()].toSorted((a, b) => b[1] - a[1])
        const found = docs.subarray(4 * q, 4 * q + 4)
        ranked.slice(0, 4).forEach(([_, score], i) => assert.closeTo(scores[4 * q + i]!, score, 1e-5))
        assert.include([...found], Number(Tiny.questions[q]!.gold[0]!.slice(1)))
      })
    }).pipe(Effect.provide(layer.pipe(Layer.provide(Layer.succeed(Corpus, fromRecords(Tiny.passages)))))))
})
