/** Training triples in FlagEmbedding's form: a query, the passages that answer it, and some that do not. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { decoder, type Fields, present, RecordError } from "../domain/records/fields.ts"
import type { FileError } from "../runtime/files/disk.ts"
import { errorOf, valueOf } from "./loading.ts"
import { placeOf, type Raw, recordsOf } from "./recordFile.ts"

/** A query with its passages. */
export interface Triple {
  /** The record's id, or where it is in its file. */
  readonly id: string
  readonly query: string
  /** At least one. */
  readonly pos: ReadonlyArray<string>
  readonly neg: ReadonlyArray<string>
  /** Right answers, if the record has any. */
  readonly answers: ReadonlyArray<string>
  /** The record as it is in the file. */
  readonly fields: Fields
}

const Texts = Schema.Union([Schema.String, Schema.Array(Schema.String)])
const decode = decoder(Schema.Struct({
  query: Schema.String,
  pos: Texts,
  neg: Schema.optionalKey(Texts),
  answer: Schema.optionalKey(Texts),
  answers: Schema.optionalKey(Texts),
  id: Schema.optionalKey(Schema.Union([Schema.String, Schema.Int]))
}))

const listed = (texts: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  texts === undefined ? [] : [texts].flat()
const filled = (name: string, texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (texts.some((text) => text.trim() === "")) throw new RecordError(name, "has a blank text")
  return texts
}

const known = ["query", "pos", "neg"]
/** Fields of the same meaning in other forms. */
const others = /^(anchor|question|positive|positives|negative|negatives|document|passages)$/

/** Names the fields that a record has in place of ours. */
const ours = (fields: Fields): void => {
  const missing = known.filter((name) => name !== "neg" && !(name in fields))
  if (missing.length === 0) return
  const found = Object.keys(fields).filter((name) => others.test(name))
  const hint = found.length === 0 ? "" : `; it has ${found.join(", ")}: rename them`
  throw new RecordError(missing[0]!, `is missing or blank; a record has ${known.join(", ")}${hint}`)
}

/** A record as a triple. @throws RecordError if it is none. */
export const toTriple = (line: unknown, place: string): Triple => {
  const fields = present(line)
  ours(fields)
  const { answer, answers, id, neg, pos, query } = decode(fields)
  return {
    id: id === undefined ? place : String(id),
    query: query.toWellFormed(),
    pos: filled("pos", listed(pos)),
    neg: filled("neg", listed(neg)),
    answers: [...listed(answer), ...listed(answers)],
    fields: line as Fields
  }
}

/** The triples of a file, in file order; a bad one ends it, or is passed to `skip`. */
export const triplesOf = (
  path: string,
  skip?: (error: FileError) => void
): Stream.Stream<Triple, FileError, FileSystem.FileSystem> => {
  const read = (raw: Raw): Effect.Effect<ReadonlyArray<Triple>, FileError> => {
    try {
      return Effect.succeed([toTriple(valueOf(raw), placeOf(raw))])
    } catch (cause) {
      const error = errorOf(raw, cause)
      if (skip === undefined) return Effect.fail(error)
      skip(error)
      return Effect.succeed([])
    }
  }
  return recordsOf(path, undefined, () => true).pipe(Stream.mapEffect(read), Stream.flattenIterable)
}
