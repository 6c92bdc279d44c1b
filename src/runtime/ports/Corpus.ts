/** The corpus: passages by row. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Passage } from "../../domain/records/Records.ts"

/** Passages cannot be stored or read back. */
export class CorpusError extends Schema.TaggedError<CorpusError>()("CorpusError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** Rows are 0 to `size - 1`; passing any other row is a bug, and dies. */
export class Corpus extends Context.Service<Corpus, {
  /** Number of passages. */
  readonly size: number
  /** SHA-256 of ids and texts, and of pictures' references as the file has them, in order. */
  readonly hash: string
  /** Number of passages that have a picture. */
  readonly pictures: number
  readonly id: (row: number) => string
  /** Row of an id; -1 if unknown. */
  readonly row: (id: string) => number
  /** The passages at some rows, in the given order; rows may repeat. */
  readonly read: (rows: ArrayLike<number>) => Effect.Effect<ReadonlyArray<Passage>, CorpusError>
  /** All passages, in row order. */
  readonly all: Stream.Stream<Passage, CorpusError>
}>()("anamnesis/runtime/Corpus") {}

/** Throws if a row is out of range. */
export const checkRow = (row: number, size: number): void => {
  if (!(Number.isInteger(row) && row >= 0 && row < size)) {
    throw new RangeError(`row ${row} of a corpus of ${size} passages`)
  }
}

/** The passages of some rows by row, each read once; none of -1. */
export const distinct = Effect.fnUntraced(function*(rows: Int32Array) {
  const wanted = [...new Set(rows)].filter((row) => row >= 0)
  const passages = yield* (yield* Corpus).read(wanted)
  return new Map(wanted.map((row, i) => [row, passages[i]!])) as ReadonlyMap<number, Passage>
})
