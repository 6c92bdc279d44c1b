/** The corpus: passages by row. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Passage } from "../../domain/records/Records.ts"

/** Texts cannot be kept where they should be, or read back. */
export class CorpusError extends Schema.TaggedError<CorpusError>()("CorpusError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.reason}`
  }
}

/** Rows are 0 to `size - 1`. To ask for any other is a bug: what takes rows dies of it. */
export class Corpus extends Context.Service<Corpus, {
  /** Passages. */
  readonly size: number
  /** SHA-256 of ids and texts, in order. */
  readonly hash: string
  readonly id: (row: number) => string
  /** Row of an id; -1 where there is none. */
  readonly row: (id: string) => number
  /** The passages of some rows, in the order and as often as they are asked for. */
  readonly read: (rows: ArrayLike<number>) => Effect.Effect<ReadonlyArray<Passage>, CorpusError>
  /** Every passage, in order of rows. */
  readonly all: Stream.Stream<Passage, CorpusError>
}>()("anamnesis/runtime/Corpus") {}

/** Refuses a row that is none. */
export const checkRow = (row: number, size: number): void => {
  if (!(Number.isInteger(row) && row >= 0 && row < size)) {
    throw new RangeError(`row ${row} of a corpus of ${size} passages`)
  }
}
