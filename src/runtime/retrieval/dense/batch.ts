/** A batch of questions with their passages, deduplicated. */
import * as Effect from "effect/Effect"
import { bucket } from "../../engine/Programs.ts"
import type { CorpusError } from "../../ports/Corpus.ts"
import type { BatchShape } from "./graphs.ts"
import type { PassageTokens } from "./passageTokens.ts"
import type { Lengths, Texts } from "./texts.ts"

/** Inputs of a program: token ids and masks [questions or passages, length]. */
export interface Batch {
  readonly shape: BatchShape
  readonly data: {
    readonly queryIds: Int32Array
    readonly queryMask: Uint8Array
    readonly queryKeep: Uint8Array
    readonly docIds: Int32Array
    readonly docMask: Uint8Array
    readonly docKeep: Uint8Array
  }
  /** Index of each question's passages among the batch's passages: [questions, n]. */
  readonly places: Int32Array
}

/** Minimum number and length of passages, and length of queries, so that batches can have the same shape. */
export type Least = Omit<BatchShape, "questions">

/** Builds the batch of questions and their passages: docs [questions, n], corpus rows. */
export type Assemble = (
  questions: ReadonlyArray<string>,
  docs: Int32Array,
  least?: Least
) => Effect.Effect<Batch, CorpusError>

/**
 * Builds batches. Distinct passages are padded to a bucket with copies of the first, to limit the number of shapes and
 * programs.
 */
export const assemble = (
  text: Texts,
  tokens: PassageTokens,
  lengths: Lengths
): Assemble =>
  Effect.fnUntraced(function*(questions, docs, least = { passages: 0, passageLength: 0, queryLength: 0 }) {
    const distinct = [...new Set(docs)].toSorted((a, b) => a - b)
    const place = new Map(distinct.map((doc, i) => [doc, i]))
    const count = Math.max(bucket(distinct.length, docs.length), least.passages)
    const rows = yield* tokens.of(Array.from({ length: count }, (_, i) => distinct[i] ?? distinct[0]!))
    const longest = rows.reduce((most, row) => Math.max(most, row.length), 0)
    const query = text.queries(questions, least.queryLength)
    const passage = text.passages(rows, Math.max(bucket(longest, lengths.passage), least.passageLength))
    return {
      shape: {
        questions: questions.length,
        queryLength: query.length,
        passages: count,
        passageLength: passage.length
      },
      data: {
        queryIds: query.ids,
        queryMask: query.mask,
        queryKeep: query.keep,
        docIds: passage.ids,
        docMask: passage.mask,
        docKeep: passage.keep
      },
      places: docs.map((doc) => place.get(doc)!)
    }
  })
