/**
 * ColBERT's tokenisation of questions and passages (Khattab & Zaharia 2020): query augmentation, markers, punctuation
 * mask.
 */
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { Lengths, Texts, TokenRows } from "../dense/texts.ts"

/** Ids of special and marker tokens, and of tokens that are masked in MaxSim. */
export interface Marks {
  readonly cls: number
  readonly sep: number
  readonly mask: number
  readonly pad: number
  readonly query: number
  readonly doc: number
  readonly skip: ReadonlySet<number>
  /** Whether the [MASK] tokens that pad a question can be attended to. */
  readonly attendToMasks: boolean
}

/** Number of tokens added to each text. */
export const MARKERS = 3

/**
 * Tokenises texts with a checkpoint's marker tokens. Queries are [CLS] [Q] words [SEP] [MASK] ..., exactly the query
 * length, and their [MASK] tokens take part in MaxSim; passages are [CLS] [D] words [SEP], and their punctuation and
 * padding are masked in MaxSim.
 */
export const make = ({ encode }: Pick<Tokenizer, "encode">, marks: Marks, lengths: Lengths): Texts => {
  const { cls, doc, mask, pad, query, sep } = marks
  const uncounted = new Set([...marks.skip, pad])
  const words = (text: string) => encode(text.replaceAll("\n", " "))
  const wrap = (marker: number, text: string, most: number) => [
    cls,
    marker,
    ...words(text).slice(0, most - MARKERS),
    sep
  ]
  /** Rows filled up; PyLate pads with the mask token, so that the filler says nothing about what is attended to. */
  const fill = (
    tokens: ReadonlyArray<ArrayLike<number>>,
    length: number,
    { attends, filler, skips }: { readonly attends: boolean; readonly filler: number; readonly skips: boolean }
  ): TokenRows => {
    const ids = new Int32Array(tokens.length * length).fill(filler)
    const attended = new Uint8Array(ids.length).fill(attends ? 1 : 0)
    tokens.forEach((row, r) => {
      ids.set(row, r * length)
      attended.fill(1, r * length, r * length + row.length)
    })
    const keep = Uint8Array.from(ids, (id) => skips && uncounted.has(id) ? 0 : 1)
    return { rows: tokens.length, length, ids, mask: attended, keep }
  }
  const ofQueries = { filler: mask, attends: marks.attendToMasks, skips: false }
  const ofPassages = { filler: pad, attends: false, skips: true }
  return {
    queries: (texts) => fill(texts.map((text) => wrap(query, text, lengths.query)), lengths.query, ofQueries),
    tokens: (text) => words(text).length + MARKERS,
    passage: (text) => wrap(doc, text, lengths.passage),
    passages: (tokens, length) => fill(tokens, length, ofPassages)
  }
}
