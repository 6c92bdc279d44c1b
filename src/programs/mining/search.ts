/** Searches a retriever for the negatives of queries. */
import * as Effect from "effect/Effect"
import { text } from "../../domain/Content.ts"
import * as Key from "../../domain/Key.ts"
import {
  type Candidate,
  choose,
  type Chosen,
  depthOf,
  type MiningOptions,
  rangeEnd
} from "../../domain/mining/negatives.ts"
import { Corpus, distinct } from "../../runtime/ports/Corpus.ts"
import { type Ranked, Retriever } from "../../runtime/ports/Retriever.ts"
import type { Query } from "./queries.ts"

/** How queries are searched. */
export interface SearchOptions {
  readonly mining: MiningOptions
  /** The most positives that a query of the file has. */
  readonly positives: number
  readonly seed: number
  /** The score of passages that the retriever did not find: BM25's 0. */
  readonly floor: number | undefined
}

/** The negatives of a query, and the scores of its positives. */
export interface Found extends Chosen {
  readonly positives: ReadonlyArray<number>
}

const rowsOf = ({ docs, scores }: Ranked, k: number, q: number) =>
  Array.from(docs.subarray(q * k, (q + 1) * k), (row, i) => [row, scores[q * k + i]!] as const)
    .filter(([row]) => row >= 0)

/** Scores of the positives: those of the ranking, the others scored by themselves. */
const positiveScores = Effect.fnUntraced(
  function*(queries: ReadonlyArray<Query>, ranked: ReadonlyArray<ReadonlyMap<number, number>>) {
    const { score } = yield* Retriever
    const missing = queries.map(({ positives }, q) => positives.filter((row) => !ranked[q]!.has(row)))
    const width = Math.max(...missing.map(({ length }) => length))
    const asked = [...queries.keys()].filter((q) => missing[q]!.length > 0)
    const docs = new Int32Array(asked.length * width).fill(-1)
    asked.forEach((q, i) => docs.set(missing[q]!, i * width))
    const scores = asked.length === 0
      ? new Float32Array(0)
      : yield* score(asked.map((q) => [text(queries[q]!.text)]), docs)
    const own = new Map(asked.map((q, i) => [q, new Map(missing[q]!.map((row, p) => [row, scores[i * width + p]!]))]))
    return queries.map(({ positives }, q) => positives.map((row) => ranked[q]!.get(row) ?? own.get(q)!.get(row)!))
  }
)

/** The negatives of some queries, in order. */
export const search = Effect.fn("mine.search")(
  function*(queries: ReadonlyArray<Query>, { floor, mining, positives, seed }: SearchOptions) {
    const [corpus, retriever] = [yield* Corpus, yield* Retriever]
    const k = Math.min(depthOf(mining, positives), corpus.size)
    const ranked = yield* retriever.search(queries.map((query) => [text(query.text)]), k)
    const found = queries.map((_, q) => rowsOf(ranked, k, q))
    const scores = yield* positiveScores(queries, found.map((own) => new Map(own)))
    const rows = [...ranked.docs, ...queries.flatMap((query) => query.positives)]
    const passages = yield* distinct(Int32Array.from(rows))
    const textOf = (row: number) => passages.get(row)!.text
    return queries.map((query, q): Found => {
      const asked = {
        query: query.text,
        positives: new Set(query.positives),
        texts: query.positives.map(textOf),
        score: Math.min(...scores[q]!),
        answers: query.answers,
        ...(floor === undefined ? {} : { floor })
      }
      const candidates = found[q]!.map(([row, score]): Candidate => ({ row, score, text: textOf(row) }))
      const key = Key.fold(Key.make(seed), "negatives", query.text)
      return { ...choose(mining, asked, candidates, rangeEnd(mining, positives), key), positives: scores[q]! }
    })
  }
)
