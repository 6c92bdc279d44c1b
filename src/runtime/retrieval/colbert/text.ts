/** Questions and passages as ColBERT reads them (Khattab & Zaharia 2020): query augmentation, markers, punctuation mask. */
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"

/** Token ids padded to a common length, with what may be attended to and what takes part in MaxSim. */
export interface TokenRows {
  readonly rows: number
  readonly length: number
  /** [rows, length] */
  readonly ids: Int32Array
  /** [rows, length]; 1 where others may attend. */
  readonly mask: Uint8Array
  /** [rows, length]; 1 where the token's vector counts. */
  readonly keep: Uint8Array
}

/** Texts as token ids. */
export interface ColbertText {
  /** [CLS] [Q] words [SEP] [MASK] ..., exactly the query length; the masks do count. */
  readonly queries: (texts: ReadonlyArray<string>) => TokenRows
  /** [CLS] [D] words [SEP], at most the passage length. */
  readonly passage: (text: string) => ReadonlyArray<number>
  /** Tokens of a text with its markers, of which those beyond the length are cut. */
  readonly tokens: (text: string) => number
  /** Passages padded to `length`; punctuation and padding do not count. */
  readonly passages: (tokens: ReadonlyArray<ArrayLike<number>>, length: number) => TokenRows
}

/** Ids of the tokens around a text, and of those whose vectors do not count. */
export interface Marks {
  readonly cls: number
  readonly sep: number
  readonly mask: number
  readonly pad: number
  readonly query: number
  readonly doc: number
  readonly skip: ReadonlySet<number>
  /** Others may attend to the masks that fill up a question. */
  readonly attendToMasks: boolean
}

/** Greatest lengths in tokens, markers included. */
export interface Lengths {
  readonly query: number
  readonly passage: number
}

/** Tokens around a text. */
export const MARKERS = 3

/** Texts as a checkpoint of these markers reads them. */
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
