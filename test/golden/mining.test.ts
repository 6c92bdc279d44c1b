/** Hard negatives under given scores: those that sentence-transformers' `mine_hard_negatives` finds (mining.py). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fromRecords } from "../../src/datasets/dataset.ts"
import { textOf } from "../../src/domain/Content.ts"
import { type FormatName, formats } from "../../src/domain/mining/formats.ts"
import { defaults, type MiningOptions } from "../../src/domain/mining/negatives.ts"
import { TopK } from "../../src/domain/topK.ts"
import { search } from "../../src/programs/mining/search.ts"
import { Corpus } from "../../src/runtime/ports/Corpus.ts"
import { Retriever } from "../../src/runtime/ports/Retriever.ts"

interface Golden {
  readonly queries: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
  readonly positives: ReadonlyArray<ReadonlyArray<number>>
  readonly scores: ReadonlyArray<ReadonlyArray<number>>
  readonly cases: ReadonlyArray<{
    readonly options: Partial<MiningOptions>
    readonly output_format: FormatName
    readonly output_scores: boolean
    readonly columns: ReadonlyArray<string>
    readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
  }>
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, "mining.json"), "utf8")) as Golden
const { positives, queries, scores, texts } = golden

/** A retriever whose scores are given. */
const given = Layer.succeed(Retriever, {
  search: (asked, k) =>
    Effect.sync(() => {
      const best = new TopK(asked.length, k)
      asked.forEach((query, q) =>
        scores[queries.indexOf(textOf(query))]!.forEach((score, doc) => best.offer(q, doc, score))
      )
      return { docs: best.docs, scores: best.scores }
    }),
  score: (asked, docs) =>
    Effect.sync(() =>
      Float32Array.from(docs, (doc, i) => {
        const own = scores[queries.indexOf(textOf(asked[Math.floor(i * asked.length / docs.length)]!))]!
        return doc < 0 ? -Infinity : own[doc]!
      })
    ),
  refresh: Effect.succeed(0)
})
const corpus = Layer.succeed(Corpus, fromRecords(texts.map((text, i) => ({ id: `d${i}`, text }))))
const asked = queries.map((text, q) => ({ id: text, text, positives: positives[q]!, answers: [] }))

/** Texts as mining.py shortens them. */
const short = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(short)
  if (typeof value !== "string") return value
  return queries.includes(value) ? `q${queries.indexOf(value)}` : `p${texts.indexOf(value)}`
}

const mined = Effect.fnUntraced(function*({ options, output_format, output_scores }: Golden["cases"][number]) {
  const mining = { ...defaults, ...options }
  const most = Math.max(...positives.map(({ length }) => length))
  const found = yield* search(asked, { mining, positives: most, seed: 1, floor: undefined })
  return found.flatMap(({ negatives, positives: pos_scores }, q) => {
    const own = {
      id: queries[q]!,
      query: queries[q]!,
      pos: positives[q]!.map((p) => texts[p]!),
      neg: negatives.map(({ text }) => text),
      pos_scores,
      neg_scores: negatives.map(({ score }) => score),
      pos_ids: [],
      neg_ids: []
    }
    return formats[output_format](own, { num_negatives: mining.num_negatives, output_scores })
  })
})

describe("hard negatives", () => {
  it.effect("are sentence-transformers', record for record, in all its formats", () =>
    Effect.gen(function*() {
      assert.isAbove(golden.cases.length, 40)
      for (const one of golden.cases) {
        const records = (yield* mined(one)) as ReadonlyArray<Readonly<Record<string, unknown>>>
        const what = JSON.stringify([one.options, one.output_format, one.output_scores])
        for (const record of records) assert.deepStrictEqual(Object.keys(record), one.columns, what)
        assert.deepStrictEqual(records.map((record) => short(Object.values(record))), [...one.rows], what)
      }
    }).pipe(Effect.provide(Layer.merge(given, corpus))))
  it("are of queries with too few of them, with several positives and with a positive below zero", () => {
    const tuples = golden.cases.filter(({ output_format }) => output_format === "n-tuple").map(({ rows }) =>
      rows.length
    )
    const all = positives.flat().length
    assert.isTrue(tuples.some((count) => count > 0 && count < all) && tuples.includes(all))
    assert.isTrue(positives.some(({ length }) => length > 2))
    assert.isTrue(positives.some((own, q) => own.some((p) => scores[q]![p]! < 0)))
  })
})
