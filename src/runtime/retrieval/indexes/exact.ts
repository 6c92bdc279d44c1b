/** Exact late-interaction search over passage vectors in memory. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TopK } from "../../../domain/topK.ts"
import { bucket, type Run } from "../../engine/Programs.ts"
import { about, type SessionError } from "../../engine/Session.ts"
import type { PassageTokens } from "../colbert/passageTokens.ts"
import type { ColbertText } from "../colbert/text.ts"

/** Passages of similar length, encoded together: vectors [rows, length, dim], absent rows repeating the first. */
interface Chunk {
  readonly docs: Int32Array
  readonly length: number
  readonly vectors: Float32Array
}
/** The vectors of all passages, in chunks; `generation` counts how often they were made. */
export interface VectorIndex {
  readonly generation: number
  readonly passages: number
  readonly chunks: ReadonlyArray<Chunk>
}

/** Passages a program takes at once. */
export const CHUNK = 64

type Encode = (ids: Int32Array, mask: Uint8Array, length: number) => Effect.Effect<Float32Array, SessionError>

/** Rows that do not count become copies of the passage's first, which leaves every maximum as it is. */
const repeatFirst = (vectors: Float32Array, keep: Uint8Array, length: number): void => {
  const dim = vectors.length / keep.length
  for (let row = 0; row < keep.length; row++) {
    if (keep[row]) continue
    const first = (row - row % length) * dim
    vectors.copyWithin(row * dim, first, first + dim)
  }
}

/** Passages between two pauses in which others may run. */
const PAUSE = 1024

/** Rows of the corpus in order of their length, equal ones in order of place. */
const byLength = Effect.fnUntraced(function*(tokens: PassageTokens) {
  const lengths = new Int32Array(tokens.size)
  for (let doc = 0; doc < lengths.length; doc++) {
    lengths[doc] = tokens.of(doc).length
    if (doc % PAUSE === PAUSE - 1) yield* Effect.yieldNow
  }
  const ends = new Int32Array(lengths.reduce((most, length) => Math.max(most, length), 0) + 2)
  for (const length of lengths) ends[length + 1]!++
  for (let i = 1; i < ends.length; i++) ends[i]! += ends[i - 1]!
  const order = new Int32Array(lengths.length)
  lengths.forEach((length, doc) => order[ends[length]!++] = doc)
  return order
})

/** What is encoded, and how. */
export interface Source {
  readonly text: Pick<ColbertText, "passages">
  readonly tokens: PassageTokens
  readonly ids: ReadonlyArray<string>
  /** Tokens of a passage, at most. */
  readonly longest: number
  /** Size of a vector. */
  readonly dim: number
  readonly encode: Encode
}

/** One chunk: passages of the corpus by row, the last of them as often as it takes to fill it up. */
const encodeChunk = Effect.fnUntraced(function*({ dim, encode, ids, longest, text, tokens }: Source, docs: Int32Array) {
  const at = (i: number) => docs[Math.min(i, docs.length - 1)]!
  const rows = Array.from({ length: CHUNK }, (_, i) => tokens.of(at(i)))
  const length = bucket(rows.at(-1)!.length, longest)
  const { ids: input, keep, mask } = text.passages(rows, length)
  const passage = (element: number) => `passage "${ids[at(Math.floor(element / length / dim))]}"`
  const vectors = yield* about(passage)(encode(input, mask, length))
  repeatFirst(vectors, keep, length)
  return { docs, length, vectors } satisfies Chunk as Chunk
})

/** The corpus encoded in order of length, a chunk at a time. */
export const chunks = (source: Source): Stream.Stream<Chunk, SessionError> =>
  Stream.unwrap(
    Effect.map(byLength(source.tokens), (order) =>
      Stream.range(0, Math.ceil(order.length / CHUNK) - 1).pipe(
        Stream.rechunk(1),
        Stream.mapEffect((i) => encodeChunk(source, order.slice(i * CHUNK, (i + 1) * CHUNK)))
      ))
  )

/** Told how many passages are encoded so far. */
export type Encoded = (passages: number) => Effect.Effect<void>

/** The index of a source's vectors; `encoded` is told how many passages are there so far. */
export const build = Effect.fnUntraced(
  function*(source: Source, generation: number, encoded: Encoded = () => Effect.void) {
    let passages = 0
    const all = yield* Stream.runCollect(Stream.tap(chunks(source), ({ docs }) => encoded(passages += docs.length)))
    return { generation, passages, chunks: all } satisfies VectorIndex as VectorIndex
  }
)

/** Query vectors [b, q, dim], of which the first `questions` are asked for their best `k` passages. */
export interface Query {
  readonly queries: Float32Array
  readonly b: number
  readonly questions: number
  readonly k: number
}

/** The best passages by their scores, [questions, k]: -1 where the corpus has no more. Takes the memory of one chunk. */
export const search = Effect.fnUntraced(function*(
  index: VectorIndex,
  { b, k, queries, questions }: Query,
  run: Run<[b: number, length: number]>
) {
  const best = new TopK(questions, k)
  const into = new Float32Array(b * CHUNK)
  for (const { docs, length, vectors } of index.chunks) {
    yield* run([b, length], { queries, docs: vectors }, { scores: into })
    for (let q = 0; q < questions; q++) {
      for (let i = 0; i < docs.length; i++) best.offer(q, docs[i]!, into[q * CHUNK + i]!)
    }
  }
  return { docs: best.docs, scores: best.scores }
})
