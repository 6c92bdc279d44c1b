/** Training triples in ColBERT's forms: of texts between tabs, or of ids, with a teacher's scores if there are any. */
import * as Schema from "effect/Schema"
import { decoder, Id, type Notes, RecordError, show, silent, wellFormed } from "./fields.ts"
import type { Pair } from "./pairs.ts"

/** A query with passages, all by id: `[qid, pid+, pid-, ...]`, or `[qid, [pid, score], ...]`, the positive first. */
export interface IdRow {
  readonly query: string
  readonly passages: ReadonlyArray<string>
  /** A teacher's scores of the passages. */
  readonly scores: ReadonlyArray<number> | undefined
}

const decodeRow = decoder(Schema.Struct({
  query: Id,
  passages: Schema.Array(Schema.Union([Id, Schema.Tuple([Id, Schema.Finite])]))
}))

/** A blank cell of a table. */
const blank = (cell: string): boolean => cell.trim() === ""

/** A row of ids. Throws if it has no query, no passage, or scores for some passages only. */
export const toIdRow = (line: unknown): IdRow => {
  if (!Array.isArray(line)) throw new RecordError("", `expected a list of ids, got ${show(line)}`)
  const [query, ...others] = line as ReadonlyArray<unknown>
  if (others.length === 0) throw new RecordError("", "a query's id and its positive passage's are needed")
  const row = decodeRow({ query, passages: others })
  const passages = row.passages.map((passage) => String(typeof passage === "object" ? passage[0] : passage))
  const scores = row.passages.flatMap((passage) => typeof passage === "object" ? [passage[1]] : [])
  if (scores.length > 0 && scores.length < passages.length) {
    throw new RecordError("", `${scores.length} of ${passages.length} passages have a score: all or none`)
  }
  return { query: String(row.query), passages, scores: scores.length === 0 ? undefined : scores }
}

/** A row of texts: query, positive and negatives, each between tabs. Throws if one is missing or blank. */
export const toTextRow = (cells: ReadonlyArray<string>, notes: Notes = silent): Pair => {
  if (cells.length < 3) {
    throw new RecordError("", `expected query, positive and negative between tabs, got ${cells.length} of them`)
  }
  const empty = cells.findIndex(blank)
  if (empty >= 0) throw new RecordError("", `column ${empty + 1} is blank`)
  const [anchor, positive, ...negatives] = cells.map((cell) => wellFormed(cell, notes))
  return { id: undefined, anchor: anchor!, positives: [positive!], negatives, scores: undefined }
}

/** Whether a table's row has nothing but ids: no cell with a blank between words. */
export const isOfIds = (cells: ReadonlyArray<string>): boolean => cells.every((cell) => !/\s/.test(cell.trim()))

/** A text by its id. */
export interface Named {
  readonly id: string
  readonly text: string
}

/**
 * A row of `queries.tsv` (id, text) or `collection.tsv` (id, text, and a title or none), whose cells are between tabs. Nothing for
 * the header of a table, line 1 if its first cell is "id", "qid" or "pid". Throws if id or text is missing, or the id blank.
 */
export const toNamed = (
  cells: ReadonlyArray<string>,
  line: number,
  notes: Notes = silent
): (Named & { readonly title: string }) | undefined => {
  if (line === 1 && /^(?:id|qid|pid)$/.test(cells[0]!.trim())) return undefined
  const [id, text, title = "", ...others] = cells
  if (others.length > 0) {
    throw new RecordError("", `expected id, text and title between tabs, got ${cells.length} of them`)
  }
  if (id === undefined || blank(id)) throw new RecordError("id", "is missing or blank")
  if (text === undefined) throw new RecordError("text", "is missing: an id and a text stand between tabs")
  return { id: wellFormed(id.trim(), notes), text: wellFormed(text, notes), title: wellFormed(title, notes) }
}
