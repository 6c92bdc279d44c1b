/** A retriever of pictures: frozen vectors of the corpus, a trained head for each space, and a snapshot that searches. */
import * as Effect from "effect/Effect"
import type { Content } from "../../../domain/Content.ts"
import type { Retrieval } from "../../../domain/settings/retrieval.ts"
import type { Training } from "../../../domain/settings/training.ts"
import { TopK } from "../../../domain/topK.ts"
import type { Values } from "../../../kernels/half.ts"
import { flatten } from "../../../kernels/nn/Module.ts"
import { cached } from "../../engine/Programs.ts"
import { Session } from "../../engine/Session.ts"
import * as Weights from "../../engine/Weights.ts"
import { optimizerOf } from "../../models/training.ts"
import { checkRow } from "../../ports/Corpus.ts"
import type { Ranked } from "../../ports/PassageIndex.ts"
import * as Graphs from "./graphs.ts"
import * as Heads from "./heads.ts"
import * as Passages from "./passages.ts"
import * as Queries from "./queries.ts"

/** Settings of a retriever of pictures. */
export interface PictureSettings {
  /** The encoder F, or a folder of heads on one. */
  readonly name: string
  readonly heads: Heads.HeadSettings
  readonly exclusion: Passages.Exclusion
  readonly training: Training
  readonly retrieval: Retrieval
}

/** The first `k` rows of each query's ranking that are not excluded, padded with -1. */
const kept = ({ docs, scores }: Ranked, k: number, excluded: ReadonlyArray<ReadonlySet<number>>): Ranked => {
  const count = excluded.length
  const width = docs.length / Math.max(1, count)
  const found = { docs: new Int32Array(count * k).fill(-1), scores: new Float32Array(count * k).fill(-Infinity) }
  excluded.forEach((own, q) => {
    const places = Array.from({ length: width }, (_, i) => q * width + i).filter((at) =>
      docs[at]! >= 0 && !own.has(docs[at]!)
    )
    places.slice(0, k).forEach((at, i) => {
      found.docs[q * k + i] = docs[at]!
      found.scores[q * k + i] = scores[at]!
    })
  })
  return found
}

/** Rankings of several heads side by side: [queries, heads · k]. */
const beside = (all: ReadonlyArray<Ranked>, count: number, k: number): Ranked => {
  const found = {
    docs: new Int32Array(count * k * all.length),
    scores: new Float32Array(count * k * all.length)
  }
  all.forEach(({ docs, scores }, h) => {
    for (let q = 0; q < count; q++) {
      const at = (q * all.length + h) * k
      found.docs.set(docs.subarray(q * k, (q + 1) * k), at)
      found.scores.set(scores.subarray(q * k, (q + 1) * k), at)
    }
  })
  return found
}

/** The best `k` of several heads' rankings, a passage by its best score. */
const merged = (all: ReadonlyArray<Ranked>, count: number, k: number): Ranked => {
  if (all.length === 1) return all[0]!
  const best = new TopK(count, k)
  for (let q = 0; q < count; q++) {
    const scores = new Map<number, number>()
    for (const ranked of all) {
      for (let i = q * k; i < (q + 1) * k; i++) {
        const doc = ranked.docs[i]!
        if (doc >= 0) scores.set(doc, Math.max(ranked.scores[i]!, scores.get(doc) ?? -Infinity))
      }
    }
    for (const [doc, score] of scores) best.offer(q, doc, score)
  }
  return { docs: best.docs, scores: best.scores }
}

/** Inner products of each query with its passages, -Infinity for row -1. */
const products = (queries: Float32Array, vectors: Float32Array, docs: Int32Array, size: number): Float32Array => {
  const n = docs.length / (queries.length / size)
  return Float32Array.from(docs, (doc, i) => {
    if (doc < 0) return -Infinity
    const from = Math.floor(i / n) * size
    let sum = 0
    for (let d = 0; d < size; d++) sum += queries[from + d]! * vectors[i * size + d]!
    return sum
  })
}

/** Values of the heads' parameters, by the names of a program's inputs. */
type Feeds = Readonly<Record<string, Values>>

/** How queries are encoded: in the batches that they come in, or each by itself, so that the others change no bit. */
interface Options {
  readonly apart: boolean
  /** Where indexes are; where the settings say, if omitted. */
  readonly stores?: Passages.Stores | undefined
}

/** A retriever with the weights of its heads, of which one may learn. */
export const make = Effect.fnUntraced(function*(
  { exclusion, heads: wanted, name, retrieval, training }: PictureSettings,
  { apart, stores }: Options
) {
  const opened = yield* Heads.open(name, wanted)
  const { frozen, heads, params } = opened
  const used = wanted.learns === undefined ? wanted.used : [wanted.learns]
  const passages = yield* Passages.make(frozen, used, retrieval, exclusion, stores)
  const asked = yield* Queries.make(opened)
  const learning = (path: string): boolean => wanted.learns !== undefined && path.startsWith(`${wanted.learns}.`)
  const { slots } = optimizerOf(training)
  const weights = Weights.make(flatten(params), [...flatten(params).keys()].filter(learning), slots, opened.weights, {
    kept: (yield* Session).kept
  })
  const placed = (space: Heads.Space): Graphs.Placed => ({
    name: space,
    head: heads.get(space)!.head,
    params,
    size: frozen.size,
    weight: wanted.weight
  })
  const run = yield* cached(([space, b]: [Heads.Space, number]) => Graphs.encode(placed(space), b), {
    fixed: weights.frozen
  })

  /** λ H(q) + (1 - λ) F(q) with some values of the heads; F(q) where a space has none. */
  const together = (space: Heads.Space, { base, count, own }: Queries.Asked, values: Feeds) =>
    heads.has(space) && count > 0
      ? Effect.map(run([space, count], { ...values, own, base }), ({ vectors }) => vectors as Float32Array)
      : Effect.succeed(base)
  const encode = Effect.fnUntraced(function*(space: Heads.Space, queries: Queries.Asked, values: Feeds) {
    if (!apart) return yield* together(space, queries, values)
    const { base, count, hashes, own } = queries
    const width = own.length / Math.max(1, count)
    const found = new Float32Array(base.length)
    for (let q = 0; q < count; q++) {
      const one = {
        count: 1,
        hashes: [hashes[q]!],
        base: base.slice(q * frozen.size, (q + 1) * frozen.size),
        own: own.slice(q * width, (q + 1) * width)
      }
      found.set(yield* together(space, one, values), q * frozen.size)
    }
    return found
  })

  const searchIn = Effect.fnUntraced(function*(
    space: Heads.Space,
    queries: ReadonlyArray<Content>,
    k: number,
    groups: ReadonlyArray<string>,
    values: Feeds
  ) {
    const all = yield* asked(queries, space)
    const excluded = yield* passages.excluded(all.hashes, groups)
    const more = Math.max(0, ...excluded.map(({ size }) => size))
    const index = yield* passages.index(space)
    const vectors = yield* encode(space, all, values)
    const ranked = yield* index.search({ count: all.count, length: 1, vectors }, Math.min(passages.size, k + more))
    return kept(ranked, k, excluded)
  })
  const scoreIn = Effect.fnUntraced(
    function*(space: Heads.Space, queries: ReadonlyArray<Content>, docs: Int32Array, values: Feeds) {
      const vectors = yield* encode(space, yield* asked(queries, space), values)
      return products(vectors, yield* (yield* passages.index(space)).vectors(docs), docs, frozen.size)
    }
  )

  return {
    used,
    weights,
    placed,
    files: opened.files,
    /** What a head reads of queries, and the vectors of their passages. */
    lessonData: Effect.fnUntraced(function*(space: Heads.Space, queries: ReadonlyArray<Content>, docs: Int32Array) {
      const { base, own } = yield* asked(queries, space)
      return { own, base, docs: yield* (yield* passages.index(space)).vectors(docs) }
    }),
    /** The best `k` passages of each head, [queries, heads · k], or of all heads together, [queries, k]. */
    search: Effect.fnUntraced(function*(
      how: "beside" | "merged",
      queries: ReadonlyArray<Content>,
      k: number,
      groups: ReadonlyArray<string>,
      values: Feeds
    ) {
      const all = yield* Effect.forEach(used, (space) => searchIn(space, queries, k, groups, values))
      return (how === "beside" ? beside : merged)(all, queries.length, k)
    }),
    score: Effect.fnUntraced(function*(queries: ReadonlyArray<Content>, docs: Int32Array, values: Feeds) {
      for (const doc of docs) if (doc !== -1) checkRow(doc, passages.size)
      const all = yield* Effect.forEach(used, (space) => scoreIn(space, queries, docs, values))
      return Float32Array.from(docs, (_, i) => Math.max(...all.map((scores) => scores[i]!)))
    })
  }
})
/** A retriever of pictures. */
export type PictureModel = Effect.Success<ReturnType<typeof make>>
