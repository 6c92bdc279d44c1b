/** Mined queries as records: FlagEmbedding's, and the four of sentence-transformers' `mine_hard_negatives`. */

/** A query with its positives and negatives; ids, texts and scores of each in the same order. */
export interface Mined {
  readonly id: string
  readonly query: string
  readonly pos: ReadonlyArray<string>
  readonly neg: ReadonlyArray<string>
  readonly pos_scores: ReadonlyArray<number>
  readonly neg_scores: ReadonlyArray<number>
  readonly pos_ids: ReadonlyArray<string>
  readonly neg_ids: ReadonlyArray<string>
}

/** Options of the records. */
export interface FormatOptions {
  /** Negatives that a full record has. */
  readonly num_negatives: number
  /** Whether records have scores, in place of labels where those have any. */
  readonly output_scores: boolean
}

type Format = (mined: Mined, options: FormatOptions) => ReadonlyArray<object>

/** One record for each positive. */
const each = ({ pos, pos_scores }: Mined, record: (text: string, score: number) => ReadonlyArray<object>) =>
  pos.flatMap((text, p) => record(text, pos_scores[p]!))

const triplet: Format = (mined, { output_scores }) =>
  each(mined, (positive, score) =>
    mined.neg.map((negative, n) => ({
      anchor: mined.query,
      positive,
      negative,
      ...(output_scores ? { scores: [score, mined.neg_scores[n]!] } : {})
    })))

/** Only of queries with as many negatives as were asked for: every record has the same columns. */
const nTuple: Format = (mined, { num_negatives, output_scores }) =>
  mined.neg.length < num_negatives ? [] : each(mined, (positive, score) => [{
    anchor: mined.query,
    positive,
    ...Object.fromEntries(mined.neg.map((negative, n) => [`negative_${n + 1}`, negative])),
    ...(output_scores ? { scores: [score, ...mined.neg_scores] } : {})
  }])

const labeledPair: Format = ({ neg, neg_scores, pos, pos_scores, query }, { output_scores }) => {
  const pair = (label: number) => (positive: string, score: number) =>
    Object.assign({ anchor: query, positive }, output_scores ? { score } : { label })
  return [
    ...pos.map((text, p) => pair(1)(text, pos_scores[p]!)),
    ...neg.map((text, n) => pair(0)(text, neg_scores[n]!))
  ]
}

const labeledList: Format = (mined, { output_scores }) =>
  each(mined, (positive, score) =>
    mined.neg.length === 0 ? [] : [{
      anchor: mined.query,
      positive: [positive, ...mined.neg],
      ...(output_scores
        ? { scores: [score, ...mined.neg_scores] }
        : { labels: [1, ...mined.neg.map(() => 0)] })
    }])

/** One record a query, with ids besides; none of a query without negatives. */
const flagEmbedding: Format = (mined) => mined.neg.length === 0 ? [] : [mined]

/** The formats by name; the first is the default. */
export const formats = {
  "flag-embedding": flagEmbedding,
  triplet,
  "n-tuple": nTuple,
  "labeled-pair": labeledPair,
  "labeled-list": labeledList
} as const satisfies Readonly<Record<string, Format>>

/** Name of a format. */
export type FormatName = keyof typeof formats
/** The names of the formats. */
export const formatNames = Object.keys(formats) as ReadonlyArray<FormatName>
