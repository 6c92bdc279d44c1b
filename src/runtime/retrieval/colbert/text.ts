/**
 * ColBERT's tokenisation of questions and passages (Khattab & Zaharia 2020): query augmentation, markers, punctuation
 * mask.
 */
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"

/** Token ids padded to a common length, with the attention mask and the MaxSim mask. */
export interface TokenRows {
  readonly rows: number
  readonly length: number
  /** [rows, length] */
  readonly ids: Int32Array
  /** Attention mask, [rows, length]: 1 if the token can be attended to. */
  readonly mask: Uint8Array
  /** MaxSim mask, [rows, length]: 1 if the token's vector is used. */
  readonly keep: Uint8Array
}

/** Tokenises texts. */
export interface ColbertText {
  /** [CLS] [Q] words [SEP] [MASK] ..., exactly the query length; [MASK] tokens take part in MaxSim. */
  readonly queries: (texts: ReadonlyArray<string>) => TokenRows
  /** [CLS] [D] words [SEP], at most the passage length. */
  readonly passage: (text: string) => ReadonlyArray<number>
  /** Number of tokens of a text with markers, before truncation. */
  readonly tokens: (text: string) => number
  /** Passages padded to `length`; punctuation and padding are masked in MaxSim. */
  readonly passages: (tokens: ReadonlyArray<ArrayLike<number>>, length: number) => TokenRows
}

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

/** Maximum lengths in tokens, markers included. */
export interface Lengths {
  readonly query: number
  readonly passage: number
}

/** Number of tokens added to each text. */
export const MARKERS = 3

/** Tokenises texts with a checkpoint's marker tokens. */
export const make = ({ encode }: Pick<Tokenizer, "encode">, marks: Marks, lengths: Lengths): ColbertText => {
  const { cls, doc, mask, pad, query, sep } = marks
  const uncounted = new Set([...marks.skip, pad])
  const words = (text: string) => encode(text.replaceAll("\n", " "))
  const wrap = (marker: number, text: string, most: number) => [
    cls,
    marker,
    ...words(text).slice(0, most - MARKERS),
    sep
  ]
  const fill = (tokens: ReadonlyArray<ArrayLike<number>>, length: number, filler: number): TokenRows => {
    const ids = new Int32Array(tokens.length * length).fill(filler)
    const attended = new Uint8Array(ids.length).fill(filler === mask && marks.attendToMasks ? 1 : 0)
    tokens.forEach((row, r) => {
      ids.set(row, r * length)
      attended.fill(1, r * length, r * length + row.length)
    })
    return {
      rows: tokens.length,
      length,
      ids,
      mask: attended,
      keep: Uint8Array.from(ids, (id) => uncounted.has(id) ? 0 : 1)
    }
  }
  return {
    queries: (texts) => fill(texts.map((text) => wrap(query, text, lengths.query)), lengths.query, mask),
    tokens: (text) => words(text).length + MARKERS,
    passage: (text) => wrap(doc, text, lengths.passage),
    passages: (tokens, length) => fill(tokens, length, pad)
  }
}
