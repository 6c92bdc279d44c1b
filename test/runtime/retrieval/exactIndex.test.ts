/** The index: every passage once, in chunks of like length, and the best of them found as sorting all would. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { notFinite, SessionError } from "../../../src/runtime/engine/Session.ts"
import { PassageTokens } from "../../../src/runtime/retrieval/colbert/passageTokens.ts"
import * as ColbertText from "../../../src/runtime/retrieval/colbert/text.ts"
import * as VectorIndex from "../../../src/runtime/retrieval/indexes/exact.ts"

const marks = { cls: 1, sep: 2, mask: 3, pad: 0, query: 4, doc: 5, skip: new Set<number>(), attendToMasks: false }
const lengths = { query: 8, passage: 60 }

/** Texts are numbers between blanks, and their tokens these numbers. */
const text = ColbertText.make({ encode: (own) => own.split(" ").filter(Boolean).map(Number) }, marks, lengths)

/** A vector of one element a token: its id; of one passage, where it is asked for, none that is a number. */
const sourceOf = (texts: ReadonlyArray<string>, bad?: number): VectorIndex.Source => ({
  text,
  tokens: new PassageTokens(texts, text.passage),
  ids: texts.map((_, i) => `p${i}`),
  longest: lengths.passage,
  dim: 1,
  encode: (ids) =>
    Effect.suspend(() => {
      const vectors = Float32Array.from(ids, (id) => id === bad ? NaN : id)
      const reason = notFinite("encode", { vectors })
      return reason ? Effect.fail(new SessionError({ reason })) : Effect.succeed(vectors)
    })
})

/** The score of a chunk's passage: the query times the greatest of its vectors. */
const run: Parameters<typeof VectorIndex.search>[2] = ([b, length], { docs, queries }, into) =>
  Effect.sync(() => {
    const scores = into!["scores"]!
    for (let q = 0; q < b; q++) {
      for (let d = 0; d < VectorIndex.CHUNK; d++) {
        const own = Array.from(docs!.subarray(d * length, (d + 1) * length))
        scores[q * VectorIndex.CHUNK + d] = queries![q]! * Math.max(...own)
      }
    }
    return { scores }
  })

/** Passages of one to forty tokens, few of which differ: many scores are equal. */
const corpus = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 6, max: 12 })).map(([n, token]) =>
    Array(n).fill(token).join(" ")
  ),
  { minLength: 1, maxLength: 200, size: "max" }
)

describe("an index", () => {
  it.live("has every passage once, and finds what sorting all of them would", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(corpus, fc.integer({ min: 1, max: 220 }), async (texts, k) => {
          const index = await Effect.runPromise(VectorIndex.build(sourceOf(texts), 3))
          const rows = index.chunks.flatMap(({ docs }) => [...docs])
          assert.deepStrictEqual(rows.toSorted((a, b) => a - b), [...texts.keys()])
          assert.deepStrictEqual([index.generation, index.passages], [3, texts.length])
          const widths = rows.map((doc) => text.passage(texts[doc]!).length)
          assert.deepStrictEqual(widths, widths.toSorted((a, b) => a - b))
          const queries = Float32Array.of(1, -1, 2, 0)
          const asked = { queries, b: 4, questions: 3, k }
          const { docs, scores } = await Effect.runPromise(VectorIndex.search(index, asked, run))
          for (let q = 0; q < 3; q++) {
            const all = texts.map((own) => queries[q]! * Math.max(...text.passage(own)))
            const sorted = [...all.keys()].toSorted((a, b) => all[b]! - all[a]! || a - b).slice(0, k)
            const none = Array<number>(k - sorted.length).fill(-1)
            assert.deepStrictEqual([...docs.subarray(q * k, (q + 1) * k)], [...sorted, ...none])
            sorted.forEach((doc, i) => assert.strictEqual(scores[q * k + i], all[doc]))
          }
        }),
        { numRuns: 60 }
      )
    ))
  it.live("names the passage whose vectors are no numbers", () =>
    Effect.gen(function*() {
      const texts = Array.from({ length: 150 }, (_, i) => i === 97 ? "6 7 99 6" : "6 7 8 9 6")
      const error = yield* Effect.flip(VectorIndex.build(sourceOf(texts, 99), 1))
      assert.match(error.message, /^Program encode: element \d+ of vectors is NaN, for passage "p97"\./)
    }))
})

describe("tokens of passages", () => {
  it("are made once each, when they are first wanted, and are what the tokenizer made, however many there are", () => {
    const made: Array<number> = []
    const tokensOf = (i: number) => Array.from({ length: i % 97 }, (_, t) => i * 100 + t)
    const texts = Array.from({ length: 30_000 }, (_, i) => String(i))
    const tokens = new PassageTokens(texts, (own) => {
      made.push(Number(own))
      return tokensOf(Number(own))
    })
    const order = texts.map((_, i) => i * 7919 % texts.length)
    const views = order.map((i) => tokens.of(i))
    assert.deepStrictEqual(made, order)
    for (const [at, i] of order.entries()) {
      if (at % 50 === 0) assert.deepStrictEqual([...tokens.of(i)], tokensOf(i))
      if (at % 50 === 1) assert.deepStrictEqual([...views[at]!], tokensOf(i))
    }
    assert.strictEqual(made.length, texts.length)
  })
  it("may be more than are kept together", () => {
    const long = Array.from({ length: 2 ** 20 + 5 }, (_, i) => i)
    const tokens = new PassageTokens(["a", "b", "a", ""], (own) => own === "b" ? long : own === "a" ? [7] : [])
    assert.deepStrictEqual([...tokens.of(0)], [7])
    assert.strictEqual(tokens.of(1).length, long.length)
    assert.strictEqual(tokens.of(1).at(-1), long.at(-1))
    assert.deepStrictEqual([...tokens.of(3)], [])
    assert.deepStrictEqual([[...tokens.of(2)], [...tokens.of(0)]], [[7], [7]])
  })
})
