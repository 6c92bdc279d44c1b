/** Exact late-interaction search, one chunk of passages at a time. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TopK } from "../../../domain/topK.ts"
import { maxSim } from "../../../kernels/loss/maxSim.ts"
import type { Graph } from "../../../kernels/onnx/encode.ts"
import { input } from "../../../kernels/Tensor.ts"
import * as Halving from "../../engine/halving.ts"
import { cached, powerOfTwo, type Run } from "../../engine/Programs.ts"
import { failedProgram } from "../../models/training.ts"
import type { Chunk, IndexStats, PassageVectors, QueryVectors } from "../../ports/PassageIndex.ts"

/** Scores of a chunk's passages: queries [b, q, dim], docs [n, l, dim], padded with copies of real rows. */
export const search = (b: number, q: number, n: number, l: number, dim: number): Graph => {
  const [queries, docs] = [input("queries", [b, q, dim], "float32"), input("docs", [n, l, dim], "float32")]
  return {
    name: `retriever.search ${n}x${l}`,
    inputs: { queries, docs },
    outputs: { scores: maxSim(queries, docs) }
  }
}

type Shape = [b: number, q: number, n: number, l: number, dim: number]
/** The search programs, by size, and how many passages memory lets them score at a time. */
export interface Searching {
  readonly run: Run<Shape>
  readonly passages: Halving.Halving
}

/** Compiles search programs on demand, and caches them. */
export const searching = Effect.map(
  cached((shape: Shape) => search(...shape)),
  (run): Searching => ({ run, passages: Halving.make("retriever.search", "pairs of vectors") })
)

/** Size of an index of these chunks. */
export const statsOf = ({ chunks, dim }: Pick<PassageVectors<never, never>, "chunks" | "dim">): IndexStats => {
  const sum = (of: (chunk: Chunk) => number) => chunks.reduce((n, chunk) => n + of(chunk), 0)
  const vectors = sum(({ length, rows }) => rows * length)
  return {
    passages: sum(({ docs }) => docs.length),
    vectors,
    dim,
    bytes: vectors * dim * Float32Array.BYTES_PER_ELEMENT
  }
}

/** Elements of a chunk's vectors. */
export const sizeOf = ({ length, rows }: Chunk, dim: number): number => rows * length * dim

/** Pads the queries to a power of two, to limit the number of programs; scores of padding are ignored. */
const padded = ({ count, length, vectors }: QueryVectors, dim: number) => {
  const b = powerOfTwo(count)
  const size = b * length * dim
  if (vectors.length >= size) return { b, queries: vectors.subarray(0, size) }
  const queries = new Float32Array(size)
  queries.set(vectors)
  return { b, queries }
}

/** Reads the vectors of a search's chunks, in order. */
export type Reader<E> = (chunk: number) => Effect.Effect<Float32Array, E>

/** Searches the chunks with a new reader per search, from `begin`; needs the memory of one chunk in addition. */
export const searchOf = <E>(
  { chunks, dim }: Pick<PassageVectors<never, never>, "chunks" | "dim">,
  { passages, run }: Searching,
  begin: () => Reader<E>
) =>
  Effect.fnUntraced(function*(asked: QueryVectors, k: number) {
    const best = new TopK(asked.count, k)
    const read = begin()
    const { b, queries } = padded(asked, dim)
    let scores = new Float32Array(0)
    /** Scores passages from..to-1 of a chunk. */
    const part = Effect.fnUntraced(
      function*({ docs, length }: Chunk, vectors: Float32Array, [from, to]: Halving.Range) {
        if (from >= docs.length) return
        const rows = to - from
        if (scores.length !== b * rows) scores = new Float32Array(b * rows)
        const feeds = { queries, docs: Halving.slice(vectors, from * length * dim, to * length * dim) }
        yield* run([b, asked.length, rows, length, dim], feeds, { scores })
        for (let q = 0; q < asked.count; q++) {
          for (let d = from; d < Math.min(to, docs.length); d++) best.offer(q, docs[d]!, scores[q * rows + d - from]!)
        }
      }
    )
    for (let i = 0; i < chunks.length && asked.count > 0; i++) {
      const chunk = chunks[i]!
      const vectors = yield* read(i)
      const pairs = ([from, to]: Halving.Range) => b * asked.length * (to - from) * chunk.length
      yield* Effect.mapError(passages.each(chunk.rows, pairs, (range) => part(chunk, vectors, range)), failedProgram)
    }
    return { docs: best.docs, scores: best.scores }
  })

/** Reads the first vector of passages, each chunk once: see `Index`. */
export const vectorsOf = <E>(
  { chunks, dim }: Pick<PassageVectors<never, never>, "chunks" | "dim">,
  read: Reader<E>
) => {
  const places = new Map<number, readonly [chunk: number, from: number]>()
  chunks.forEach(({ docs, length }, chunk) => docs.forEach((doc, i) => places.set(doc, [chunk, i * length * dim])))
  return Effect.fnUntraced(function*(docs: ArrayLike<number>) {
    const found = new Float32Array(docs.length * dim)
    const wanted = Array.from(docs, (doc, i) => ({ i, place: places.get(doc) })).filter(({ place }) => place)
    for (const [chunk, own] of Map.groupBy(wanted, ({ place }) => place![0])) {
      const vectors = yield* read(chunk)
      for (const { i, place } of own) found.set(vectors.subarray(place![1], place![1] + dim), i * dim)
    }
    return found
  })
}

/** Passes on the vectors of each chunk in turn; dies if the stream does not match the chunks. */
export const eachChunk = Effect.fnUntraced(function*<E, R, E2, R2>(
  { chunks, dim, vectors }: PassageVectors<E, R>,
  take: (vectors: Float32Array, i: number) => Effect.Effect<void, E2, R2>
) {
  let i = 0
  yield* Stream.runForEach(vectors, (own) => {
    const chunk = chunks[i]
    if (chunk === undefined || own.length !== sizeOf(chunk, dim)) {
      return Effect.die(new RangeError(`chunk ${i} of ${chunks.length} has ${own.length} numbers`))
    }
    return take(own, i++)
  })
  if (i < chunks.length) {
    return yield* Effect.die(new RangeError(`there are vectors of ${i} chunks of ${chunks.length}`))
  }
})
