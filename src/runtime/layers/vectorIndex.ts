/** Exact late-interaction search over passage vectors in memory. */
import * as Effect from "effect/Effect"
import { bucket, type Compile } from "../engine/Programs.ts"
import type { SessionError } from "../engine/Session.ts"
import type { ColbertText } from "./colbertText.ts"

/** Passages of similar length, encoded together: vectors [rows, length, dim], absent rows repeating the first. */
interface Chunk {
  readonly docs: Int32Array
  readonly length: number
  readonly vectors: Float32Array
}
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

/** Encodes the corpus in order of length, a chunk at a time; the last chunk is filled up with its last passage. */
export const build = Effect.fnUntraced(function*(
  text: ColbertText,
  tokens: ReadonlyArray<ReadonlyArray<number>>,
  longest: number,
  encode: Encode,
  generation: number
) {
  const order = Int32Array.from(tokens.keys()).sort((a, b) => tokens[a]!.length - tokens[b]!.length || a - b)
  const chunks: Array<Chunk> = []
  for (let start = 0; start < order.length; start += CHUNK) {
    const docs = order.subarray(start, start + CHUNK)
    const rows = Array.from({ length: CHUNK }, (_, i) => tokens[docs[Math.min(i, docs.length - 1)]!]!)
    const length = bucket(rows.at(-1)!.length, longest)
    const { ids, keep, mask } = text.passages(rows, length)
    const vectors = yield* encode(ids, mask, length)
    repeatFirst(vectors, keep, length)
    chunks.push({ docs, length, vectors })
  }
  return { generation, passages: tokens.length, chunks } satisfies VectorIndex as VectorIndex
})

/** Scores of every passage: query vectors [b, q, dim] -> [b, passages]. */
export const scores = Effect.fnUntraced(function*(
  index: VectorIndex,
  queries: Float32Array,
  b: number,
  compile: Compile<[b: number, length: number]>
) {
  const all = new Float32Array(b * index.passages)
  const into = new Float32Array(b * CHUNK)
  for (const { docs, length, vectors } of index.chunks) {
    const program = yield* compile([b, length])
    yield* program.run({ queries, docs: vectors }, { scores: into })
    for (let q = 0; q < b; q++) {
      for (let i = 0; i < docs.length; i++) all[q * index.passages + docs[i]!] = into[q * CHUNK + i]!
    }
  }
  return all
})

/** The `k` greatest of each row, best first, equal scores in order of place. */
export const topK = (
  scores: Float32Array,
  rows: number,
  k: number
): { readonly docs: Int32Array; readonly scores: Float32Array } => {
  const width = scores.length / rows
  const [docs, best] = [new Int32Array(rows * k).fill(-1), new Float32Array(rows * k).fill(-Infinity)]
  for (let r = 0; r < rows; r++) {
    for (let d = 0; d < width; d++) {
      const score = scores[r * width + d]!
      if (score <= best[(r + 1) * k - 1]!) continue
      let at = (r + 1) * k - 1
      for (; at > r * k && best[at - 1]! < score; at--) {
        best[at] = best[at - 1]!
        docs[at] = docs[at - 1]!
      }
      best[at] = score
      docs[at] = d
    }
  }
  return { docs, scores: best }
}
