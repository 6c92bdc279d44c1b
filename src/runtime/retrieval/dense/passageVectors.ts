/** Encodes the corpus in chunks of passages of similar length. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { bucket } from "../../engine/Programs.ts"
import { about, type SessionError } from "../../engine/Session.ts"
import type { CorpusError } from "../../ports/Corpus.ts"
import type { Chunk, PassageVectors } from "../../ports/PassageIndex.ts"
import type { PassageTokens } from "./passageTokens.ts"
import type { Texts, TokenRows } from "./texts.ts"

/** Passages per program run. */
const ROWS = 64

type Encode = (rows: TokenRows) => Effect.Effect<Float32Array, SessionError>

/** Replaces masked vectors by the passage's first vector, which does not change MaxSim. */
const repeatFirst = (vectors: Float32Array, keep: Uint8Array, length: number): void => {
  const dim = vectors.length / keep.length
  for (let row = 0; row < keep.length; row++) {
    if (keep[row]) continue
    const first = (row - row % length) * dim
    vectors.copyWithin(row * dim, first, first + dim)
  }
}

/** Corpus rows by ascending length; ties in row order. */
const byLength = (lengths: Int32Array): Int32Array => {
  const ends = new Int32Array(lengths.reduce((most, length) => Math.max(most, length), 0) + 2)
  for (const length of lengths) ends[length + 1]!++
  for (let i = 1; i < ends.length; i++) ends[i]! += ends[i - 1]!
  const order = new Int32Array(lengths.length)
  lengths.forEach((length, doc) => order[ends[length]!++] = doc)
  return order
}

/** Inputs of encoding a corpus. */
export interface Source {
  readonly text: Pick<Texts, "passages">
  readonly tokens: PassageTokens
  readonly id: (row: number) => string
  /** Maximum tokens per passage. */
  readonly longest: number
  /** Dimension of a vector. */
  readonly dim: number
  /** Whether a passage has one vector, instead of one for each of its tokens. */
  readonly pools: boolean
  readonly encode: Encode
}

/** The vectors of a chunk, padded with copies of its last passage. */
const encodeChunk = Effect.fnUntraced(
  function*({ dim, encode, id, pools, text, tokens }: Source, { docs, length, rows }: Chunk, longest: number) {
    const at = (i: number) => docs[Math.min(i, docs.length - 1)]!
    const own = yield* tokens.of(Array.from({ length: rows }, (_, i) => at(i)))
    const encoded = text.passages(own, longest)
    const passage = (element: number) => `passage "${id(at(Math.floor(element / length / dim)))}"`
    const vectors = yield* about(passage)(encode(encoded))
    if (!pools) repeatFirst(vectors, encoded.keep, length)
    return vectors
  }
)

/** The vectors of the corpus, in chunks of passages of similar length. */
export const passageVectors = Effect.fnUntraced(function*(source: Source) {
  const lengths = yield* source.tokens.lengths
  const order = byLength(lengths)
  const longest = (docs: Int32Array) => bucket(lengths[docs.at(-1)!]!, source.longest)
  const chunks = Array.from({ length: Math.ceil(order.length / ROWS) }, (_, i): Chunk => {
    const docs = order.slice(i * ROWS, (i + 1) * ROWS)
    return { docs, rows: ROWS, length: source.pools ? 1 : longest(docs) }
  })
  return {
    dim: source.dim,
    chunks,
    vectors: Stream.fromIterable(chunks).pipe(
      Stream.rechunk(1),
      Stream.mapEffect((chunk) => encodeChunk(source, chunk, longest(chunk.docs)))
    )
  } satisfies PassageVectors<SessionError | CorpusError, never> as PassageVectors<SessionError | CorpusError, never>
})
