/** A score belongs to a question and a passage: the batch around them and the padding it brings must not show. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { text } from "../../../src/domain/Content.ts"
import type { Raw } from "../../../src/domain/settings/RunConfig.ts"
import { bucket } from "../../../src/runtime/engine/Programs.ts"
import { cpu } from "../../../src/runtime/engine/providers.ts"
import type { LanguageModel } from "../../../src/runtime/ports/LanguageModel.ts"
import { Retriever } from "../../../src/runtime/ports/Retriever.ts"
import * as Retrievers from "../../../src/runtime/retrieval/retriever.ts"
import { inference, ofRetriever } from "../../../src/systems/jmlr/layers.ts"
import * as Reading from "../../support/reading.ts"
import * as Tiny from "../../support/tiny.ts"

/** Sums of products in another order: a few units in the last place of a float32. */
const ROUNDING = 1e-6

const close = (got: number, want: number, what: string) =>
  assert.closeTo(got, want, ROUNDING * Math.max(1, Math.abs(want)), what)

const [asked, corpus] = [Tiny.questions.map((q) => q.question), Tiny.passages.map((_, doc) => doc)]
const queries = asked.map((question) => [text(question)])
const everyDoc = (questions: ReadonlyArray<unknown>) => Int32Array.from(questions.flatMap(() => corpus))

const onTiny = <A, E>(effect: Effect.Effect<A, E, Retriever | LanguageModel>, overrides: Raw = {}) =>
  Effect.gen(function*() {
    const config = yield* Tiny.settings(yield* Tiny.weighted, overrides)
    return yield* effect.pipe(Effect.provide(inference(config).pipe(Layer.provide(Tiny.surroundings))))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

describe("a retriever's score", () => {
  it.live("is the same alone as among all questions and passages", () =>
    onTiny(Effect.gen(function*() {
      const retriever = yield* Retriever
      const all = yield* retriever.score(queries, everyDoc(asked))
      for (const [q, question] of asked.entries()) {
        for (const doc of [0, 4, 6, 10]) {
          const [alone] = yield* retriever.score([[text(question)]], Int32Array.of(doc))
          close(all[q * corpus.length + doc]!, alone!, `question ${q}, passage ${doc}`)
        }
      }
      assert.isAbove(new Set(all).size, 40)
    })))
  it.live("is the one the index finds it by", () =>
    onTiny(Effect.gen(function*() {
      const retriever = yield* Retriever
      const { docs, scores } = yield* retriever.search(queries, corpus.length)
      const afresh = yield* retriever.score(queries, docs)
      afresh.forEach((score, i) => close(scores[i]!, score, `place ${i}`))
      asked.forEach((_, q) => {
        const found = docs.subarray(q * corpus.length, (q + 1) * corpus.length)
        assert.deepStrictEqual(Array.from(found).toSorted((a, b) => a - b), corpus)
      })
    })))
  it.live("is found by fibers that ask at once, with one index for all of them", () =>
    onTiny(Effect.gen(function*() {
      const retriever = yield* Retriever
      const searches = Effect.forEach(queries, (query) => retriever.search([query], 5), {
        concurrency: "unbounded"
      })
      const found = yield* searches
      assert.deepStrictEqual(found, yield* Effect.forEach(queries, (query) => retriever.search([query], 5)))
      assert.strictEqual(yield* retriever.refresh, 1)
    })))
  it.live("is found in the same order by a question alone", () =>
    onTiny(Effect.gen(function*() {
      const retriever = yield* Retriever
      const together = yield* retriever.search(queries, 5)
      for (const [q, query] of queries.entries()) {
        const alone = yield* retriever.search([query], 5)
        assert.deepStrictEqual(alone.docs, together.docs.slice(q * 5, q * 5 + 5))
      }
    })))
})

describe("a question's ranking", () => {
  /** A narrow model on two threads, whose products ONNX Runtime cuts by the number of their rows. */
  const narrow = Effect.gen(function*() {
    const folder = yield* Tiny.folder
    const demo = join(import.meta.dirname, "..", "..", "..", "experiments", "demo", "retriever")
    for (const name of ["config.json", "tokenizer.json"]) cpSync(join(demo, name), join(folder, "retriever", name))
    yield* Tiny.writeWeights(folder)
    const config = yield* Tiny.settings(folder)
    const given = Layer.mergeAll(Tiny.surroundings, cpu({ threads: 2 }))
    const layer = Retrievers.readOnly(ofRetriever(config)).pipe(Layer.provide(given))
    return yield* Effect.gen(function*() {
      const retriever = yield* Retriever
      return yield* Effect.forEach([1, 2, 4, 6], (size) => {
        const starts = [...asked.keys()].filter((q) => q % size === 0)
        return Effect.forEach(starts, (q) => retriever.search(queries.slice(q, q + size), corpus.length))
      })
    }).pipe(Effect.provide(layer))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

  it.live("is the same to the last bit, whatever is asked beside it", () =>
    Effect.gen(function*() {
      const [alone, ...others] = (yield* narrow).map((batches) => ({
        docs: batches.flatMap(({ docs }) => [...docs]),
        scores: batches.flatMap(({ scores }) => [...scores])
      }))
      for (const together of others) assert.deepStrictEqual(together, alone)
    }))
})

describe("a reader's likelihood", () => {
  const options = Tiny.questions.map((q) => q.options)
  const answers = Tiny.questions.map((q) => q.answer)
  it.live("is the same alone as among all questions and passages", () =>
    onTiny(Effect.gen(function*() {
      const all = yield* Reading.nll({ questions: asked, options, answers, context: everyDoc(asked) })
      for (const [q, question] of asked.entries()) {
        for (const doc of [0, 4, 6, 10]) {
          const one = {
            questions: [question],
            options: [options[q]!],
            answers: [answers[q]!],
            context: Int32Array.of(doc)
          }
          const [alone] = yield* Reading.nll(one)
          close(all[q * corpus.length + doc]!, alone!, `question ${q}, passage ${doc}`)
        }
      }
      assert.isAbove(new Set(all).size, 60)
    })))
  for (const answer_format of ["letter", "text"] as const) {
    it.live(`of an option's ${answer_format} beside the others chooses as the likelihood of each alone`, () =>
      onTiny(
        Effect.gen(function*() {
          const o = { ...Reading.defaults, answer_format }
          for (const doc of corpus) {
            const context = new Int32Array(asked.length).fill(doc)
            const chosen = yield* Reading.answered({ questions: asked, options, context }, o)
            for (const [q, own] of options.entries()) {
              const questions = own.map(() => asked[q]!)
              const context = new Int32Array(own.length).fill(doc)
              const alone = yield* Reading.nll({ questions, options: own.map(() => own), answers: own, context }, o)
              assert.strictEqual(chosen.indices[q], alone.indexOf(Math.min(...alone)), `question ${q}, passage ${doc}`)
              assert.strictEqual(chosen.texts[q], own[chosen.indices[q]!])
            }
          }
        })
      ))
  }
  it.live("goes on with the same words alone as among other questions, free or not", () =>
    onTiny(
      Effect.gen(function*() {
        const o = { ...Reading.defaults, max_new_tokens: 4 }
        const free = options.map((own, q) => q % 2 === 0 ? [] : own)
        const context = Int32Array.from(asked.flatMap((_, q) => [q, q + 1]))
        const together = yield* Reading.answered({ questions: asked, options: free, context }, o)
        for (const [q, question] of asked.entries()) {
          const own = { questions: [question], options: [free[q]!], context: context.subarray(2 * q, 2 * q + 2) }
          const alone = yield* Reading.answered(own, o)
          assert.deepStrictEqual([alone.texts[0], alone.indices[0]], [together.texts[q], together.indices[q]])
          assert.strictEqual(together.indices[q]! >= 0, q % 2 === 1)
        }
        assert.isAbove(together.texts.filter((text) => text.length > 0).length, 3)
      })
    ))
})

describe("bucket", () => {
  it("holds its length with a quarter to spare at most, and grows with it", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 5000 }), (length) => {
      const size = bucket(length, 1e6)
      assert.isAtLeast(size, length)
      assert.isAtMost(size, Math.max(length + 7, 1.25 * length + 1))
      assert.isAtLeast(bucket(length + 1, 1e6), size)
    }))
  })
  it("has few sizes, none above the limit", () => {
    const sizes = Array.from({ length: 512 }, (_, i) => bucket(i + 1, 512))
    assert.isAtMost(new Set(sizes).size, 40)
    assert.strictEqual(Math.max(...sizes), 512)
  })
})
