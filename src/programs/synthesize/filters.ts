/** Filters of synthetic negatives (STM's rules for hard negatives, and a retriever's band as in mining). */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { fromRecords } from "../../datasets/dataset.ts"
import type { Triple } from "../../datasets/triples.ts"
import { text } from "../../domain/Content.ts"
import { likeness, wordsOf } from "../../domain/texts/overlap.ts"
import { shapeOf, writeValue } from "../../runtime/language/structured.ts"
import { Corpus } from "../../runtime/ports/Corpus.ts"
import { Retriever } from "../../runtime/ports/Retriever.ts"
import { ofOneRequest, Writer, type WriterError } from "../../runtime/ports/Writer.ts"
import type { Template } from "../writing/template.ts"
import { type Draft, each, type Filter } from "./pipeline.ts"
import { echo, tells } from "./textFilters.ts"

/** A negative written for a triple. */
export type Negative = Draft<Triple, string>

/** The passages that a sample is made from: all take turns. */
export const sourceOf = ({ neg, pos }: Triple, sample: number) => ({
  positive: pos[sample % pos.length]!,
  negative: neg.length === 0 ? undefined : neg[sample % neg.length]!
})

/** Most runs of five words that a negative may share with another text (Jaccard). */
const LIKE = 0.8
/** Length of a negative, as a share of that of its positive. */
const [SHORT, LONG] = [0.3, 3]
const size = (own: string): number => wordsOf(own).length

/** Drops what says the same as another negative written for its triple. */
const repeated: Filter<Triple, string> = {
  name: "near-duplicate of another new one",
  drops: (drafts) =>
    Effect.sync(() => {
      const before = new Map<Triple, Array<string>>()
      return drafts.map(({ item, value }) => {
        const others = before.get(item) ?? []
        if (others.some((own) => likeness(own, value) > LIKE)) return true
        before.set(item, [...others, value])
        return false
      })
    })
}

/** The filters that only compare texts. */
export const ofTexts = (prompt: Template): ReadonlyArray<Filter<Triple, string>> => [
  each("near-duplicate of a positive", ({ item, value }) => item.pos.some((own) => likeness(own, value) > LIKE)),
  each("near-duplicate of a negative", ({ item, value }) => item.neg.some((own) => likeness(own, value) > LIKE)),
  each(`length below ${SHORT} or above ${LONG} of the positive's`, ({ item, sample, value }) => {
    const share = size(value) / Math.max(1, size(sourceOf(item, sample).positive))
    return share < SHORT || share > LONG
  }),
  each("contains an answer", ({ item, value }) => item.answers.some((own) => tells(value, own))),
  echo(prompt, (value) => [value]),
  repeated
]

/** The band of a negative's score, as shares of its positive's. */
const [LEAST, MARGIN] = [0.4, 0.05]

/** Whether a score is outside of the band: too easy below it, and above it perhaps an answer. */
export const outside = (positive: number, score: number): boolean =>
  !(score >= positive * LEAST && score <= positive - Math.abs(positive) * MARGIN)

/** Drops what a retriever scores outside of the band; `layer` opens it over a corpus. */
export const band = <E, R>(layer: Layer.Layer<Retriever, E, R | Corpus>) => ({
  name: "score outside of the band",
  drops: Effect.fnUntraced(function*(drafts: ReadonlyArray<Negative>) {
    const texts = drafts.flatMap(({ item, sample, value }) => [sourceOf(item, sample).positive, value])
    const corpus = fromRecords(texts.map((own, i) => ({ id: String(i), text: own })))
    const queries = drafts.map(({ item }) => [text(item.query)])
    const scored = Effect.flatMap(Retriever, ({ score }) => score(queries, Int32Array.from(texts.keys())))
    const scores = yield* scored.pipe(Effect.provide(layer), Effect.provideService(Corpus, corpus))
    return drafts.map((_, i) => outside(scores[2 * i]!, scores[2 * i + 1]!))
  })
})

const verdict = shapeOf("verdict", Schema.Struct({ relevant: Schema.Literals(["yes", "no"]) }))

/** Drops what the writer itself judges to answer the query, and what it gives no verdict on. */
export const judged = (
  { turns }: Template,
  max_tokens: number
): Filter<Triple, string, WriterError, Writer> => ({
  name: "judged relevant, or not judged",
  drops: (drafts) =>
    Effect.flatMap(Writer, ({ concurrency }) =>
      Effect.forEach(drafts, ({ item, value }) => {
        const request = { turns: turns({ query: item.query, document: value }), max_tokens }
        return Effect.map(writeValue(request, verdict), (own) => own.value?.relevant !== "no").pipe(
          Effect.catchIf((error) => ofOneRequest(error) !== undefined, () => Effect.succeed(true))
        )
      }, { concurrency }))
})
