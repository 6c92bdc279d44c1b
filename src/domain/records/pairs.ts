/** Rows for contrastive training: an anchor, positives and hard negatives, all as texts. */
import * as Schema from "effect/Schema"
import {
  decoder,
  type Fields,
  Id,
  type Notes,
  optional,
  present,
  RecordError,
  silent,
  tellUnused,
  Value,
  wellFormed
} from "./fields.ts"

/** A query with passages that answer it and passages that do not. */
export interface Pair {
  readonly id: string | undefined
  readonly anchor: string
  readonly positives: ReadonlyArray<string>
  readonly negatives: ReadonlyArray<string>
  /** A teacher's scores of the positives, then of the negatives. */
  readonly scores: ReadonlyArray<number> | undefined
}

const Texts = Schema.Union([Schema.String, Schema.Array(Schema.String)])
const Scores = Schema.Union([Schema.Finite, Schema.Array(Schema.Finite)])

const shape = Schema.Struct({
  id: optional(Id),
  _id: optional(Id),
  anchor: optional(Schema.String),
  query: optional(Schema.String),
  question: optional(Schema.String),
  positive: optional(Texts),
  positives: optional(Texts),
  pos: optional(Texts),
  negative: optional(Texts),
  negatives: optional(Texts),
  neg: optional(Texts),
  pos_scores: optional(Scores),
  neg_scores: optional(Scores),
  prompt: optional(Value),
  type: optional(Value)
})
const decode = decoder(shape)
const numbered = /^(?:negative|neg)_?(\d+)$/
const positive = ["positive", "positives", "pos"] as const

/** The fields of such rows. */
export const isPairField = (name: string): boolean => Object.hasOwn(shape.fields, name) || numbered.test(name)

/** Whether a row has its positives as texts: sentence-transformers' and FlagEmbedding's columns. */
export const isPair = (line: unknown): boolean =>
  typeof line === "object" && line !== null && positive.some((name) => Object.hasOwn(line, name))

/** Texts of the one field that is given. */
const one = (fields: Fields, names: ReadonlyArray<string>, what: string): ReadonlyArray<string> => {
  const given = names.filter((name) => name in fields)
  if (given.length > 1) throw new RecordError(given[1]!, `${given.join(" and ")} are both given: which is the ${what}?`)
  return given.flatMap((name) => fields[name] as string | ReadonlyArray<string>)
}

/** Texts of `negative_1`, `negative_2`, ... in the order of their numbers. */
const inColumns = (fields: Fields): ReadonlyArray<string> =>
  Object.entries(fields).flatMap(([name, value]) => {
    const [, number] = numbered.exec(name) ?? []
    if (number === undefined) return []
    if (typeof value !== "string") throw new RecordError(name, "a text is expected")
    return [[Number(number), value] as const]
  }).toSorted(([a], [b]) => a - b).map(([, text]) => text)

const scoresOf = (
  { neg_scores, pos_scores }: typeof shape.Type,
  positives: number,
  negatives: number
): ReadonlyArray<number> | undefined => {
  if (pos_scores === undefined && neg_scores === undefined) return undefined
  const own = { pos_scores: [pos_scores ?? []].flat(), neg_scores: [neg_scores ?? []].flat() }
  for (const [name, count] of [["pos_scores", positives], ["neg_scores", negatives]] as const) {
    if (own[name].length !== count) throw new RecordError(name, `${own[name].length} scores for ${count} texts`)
  }
  return [...own.pos_scores, ...own.neg_scores]
}

const distinct = (ids: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(ids)]

/**
 * A row in the columns of sentence-transformers (`anchor`, `positive`, `negative` or `negative_1`, ...) or FlagEmbedding
 * (`query`, `pos`, `neg`, `pos_scores`, `neg_scores`, `prompt`, which is put before the query). Throws if it has no anchor or
 * no positive.
 */
export const toPair = (line: unknown, also: ReadonlySet<string>, notes: Notes = silent): Pair => {
  const fields = present(line)
  const row = decode(fields)
  tellUnused(fields, (name) => isPairField(name) || also.has(name), notes)
  const anchors = one(fields, ["anchor", "query", "question"], "anchor")
  if (anchors.length === 0) {
    throw new RecordError("anchor", "is missing; a row needs an anchor (or query) and a positive")
  }
  const positives = one(fields, positive, "positive")
  if (positives.length === 0) throw new RecordError("positive", "is missing")
  const listed = one(fields, ["negative", "negatives", "neg"], "negative")
  const negatives = [...listed, ...inColumns(fields)]
  const id = row.id ?? row._id
  const clean = (text: string) => wellFormed(text, notes)
  return {
    id: id === undefined ? undefined : String(id),
    anchor: clean(String(row.prompt ?? "") + anchors[0]!),
    positives: positives.map(clean),
    negatives: negatives.map(clean),
    scores: scoresOf(row, positives.length, negatives.length)
  }
}

/** Scores by id. Throws if one has two scores. */
const scoresById = (ids: ReadonlyArray<string>, scores: ReadonlyArray<number>): Readonly<Record<string, number>> => {
  const own = new Map<string, number>()
  ids.forEach((id, i) => {
    const before = own.get(id) ?? scores[i]!
    if (before !== scores[i]) throw new RecordError("", `a passage has two scores, ${before} and ${scores[i]}`)
    own.set(id, before)
  })
  return Object.fromEntries(own)
}

/** A pair's texts under ids, and its scores by id. Negatives that are positives too are left out, and told. */
export const withIds = (pair: Pair, idOf: (text: string) => string, notes: Notes = silent) => {
  const gold = distinct(pair.positives.map(idOf))
  const all = pair.negatives.map(idOf)
  const negatives = distinct(all).filter((id) => !gold.includes(id))
  if (negatives.length < distinct(all).length) {
    notes.remark("have a negative that is one of their positives, which is left out")
  }
  const ids = [...pair.positives.map(idOf), ...all]
  const scores = pair.scores && scoresById(ids, pair.scores)
  return { gold, negatives, ...(scores ? { scores } : {}) }
}
