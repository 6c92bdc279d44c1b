/** Loads ColBERT's triples of ids: questions, whose texts are in a file of queries and whose passages are in the corpus. */
import * as Effect from "effect/Effect"
import { dirname, join } from "node:path"
import { type Notes, RecordError } from "../domain/records/fields.ts"
import { withIds } from "../domain/records/pairs.ts"
import type { QuestionRecord } from "../domain/records/Records.ts"
import { type IdRow, type Named, toIdRow, toNamed } from "../domain/records/triples.ts"
import { exists, FileError } from "../runtime/files/disk.ts"
import type { Corpus } from "../runtime/ports/Corpus.ts"
import { listed, questions } from "./dataset.ts"
import { load, type Loaded, type LoadOptions, type Read } from "./loading.ts"
import { asking } from "./pairs.ts"
import { placeId, type Raw } from "./recordFile.ts"
import { isTable, linesOf, tableRows } from "./tables.ts"

/** Queries by id, and what is told of their file. */
interface Queries extends Read {
  readonly texts: ReadonlyMap<string, string>
}

/** The queries of a table, or of a file of questions. */
const queriesOf = Effect.fnUntraced(function*(path: string, options: LoadOptions) {
  if (!isTable(path)) {
    const { records, ...read } = yield* questions(path, options)
    return { ...read, texts: new Map(records.map(({ id, question }) => [id, question])) } as Queries
  }
  const kept = listed<Named>()
  const read = (cells: unknown, { at }: Raw, notes: Notes): Named | undefined => {
    const query = toNamed(cells as ReadonlyArray<string>, Number(at), notes)
    if (query?.text.trim() === "") throw new RecordError("text", "is blank")
    return query
  }
  const loaded = yield* load(tableRows(path), path, { what: "queries", wanted: () => true, read }, options, kept)
  return { ...loaded, texts: new Map(kept.records().map(({ id, text }) => [id, text])) } as Queries
})

/** The file of queries that is meant: the one named, or `queries.tsv` or `queries.jsonl` beside the triples. */
const queriesFile = Effect.fnUntraced(function*(path: string, named: string) {
  if (named !== "") return named
  const beside = ["queries.tsv", "queries.jsonl"].map((name) => join(dirname(path), name))
  const found = yield* Effect.filter(beside, exists)
  if (found[0] !== undefined) return found[0]
  const reason = "has ids of queries, whose texts are in no queries.tsv or queries.jsonl beside it; name their file as "
    + "queries_file"
  return yield* new FileError({ path, place: "", reason })
})

/** A row's passages as a question has them. */
const passagesOf = ({ passages, scores }: IdRow, notes: Notes) => {
  const [positive, ...negatives] = passages
  return withIds({ id: undefined, anchor: "", positives: [positive!], negatives, scores }, (id) => id, notes)
}

/** The rows of a file, JSON lists or a table; queries are in `queries`, "" for a file beside it, passages in the corpus. */
export const idRows = Effect.fnUntraced(
  function*(path: string, queries: string, corpus: Corpus["Service"], options: LoadOptions = {}) {
    const file = yield* queriesFile(path, queries)
    const { texts, told: ofQueries } = yield* queriesOf(file, { skipBad: options.skipBad ?? false })
    const kept = listed<QuestionRecord>()
    const read = (line: unknown, raw: Raw, notes: Notes): QuestionRecord => {
      const row = toIdRow(isTable(path) ? (line as ReadonlyArray<string>).map((cell) => cell.trim()) : line)
      const question = texts.get(row.query)
      if (question === undefined) throw new RecordError("", `query ${row.query} is not in ${file}`)
      const lost = row.passages.find((id) => corpus.row(id) < 0)
      if (lost !== undefined) throw new RecordError("", `passage ${lost} is not in passages_file, or has no text there`)
      return { ...asking(placeId(raw), question, row.query), ...passagesOf(row, notes) }
    }
    const raws = isTable(path) ? tableRows(path) : linesOf(path)
    const loaded = yield* load(raws, path, { what: "rows", wanted: () => true, read }, options, kept)
    const told = [...loaded.told, ...ofQueries.map((sentence) => `${file}: ${sentence}`)]
    return { records: kept.records(), skipped: loaded.skipped, told } as Loaded<QuestionRecord>
  }
)
