/** Texts of a single-vector retriever: prompt and text as one, cut, between what the tokenizer and we put around them. */
import { bucket } from "../../engine/Programs.ts"
import type { Tokenizer } from "../../tokenizers/tokenizer.ts"
import type { Lengths, Texts, TokenRows } from "../dense/texts.ts"

/** What is put around a text. */
export interface Frame {
  /** Ids before and after a text, an appended end token included. */
  readonly start: ReadonlyArray<number>
  readonly end: ReadonlyArray<number>
  readonly pad: number
  /** Texts before queries and passages. */
  readonly prompts: { readonly query: string; readonly passage: string }
  /** Whether the tokens of prompts are pooled, too. */
  readonly includePrompt: boolean
}

/** Tokenises texts: start, prompt and text, end; what exceeds the length is cut before the end. */
export const make = ({ encode }: Pick<Tokenizer, "encode">, frame: Frame, lengths: Lengths): Texts => {
  const { end, includePrompt, pad, prompts, start } = frame
  const around = start.length + end.length
  const wrap = (prompt: string, text: string, most: number) => [
    ...start,
    ...encode(prompt + text).slice(0, most - around),
    ...end
  ]
  /** Tokens of a prompt that are not pooled, with those before it. */
  const prefix = (prompt: string) => includePrompt || prompt === "" ? 0 : start.length + encode(prompt).length
  const unpooled = { query: prefix(prompts.query), passage: prefix(prompts.passage) }
  const fill = (tokens: ReadonlyArray<ArrayLike<number>>, length: number, from: number): TokenRows => {
    const ids = new Int32Array(tokens.length * length).fill(pad)
    const [mask, keep] = [new Uint8Array(ids.length), new Uint8Array(ids.length)]
    tokens.forEach((row, r) => {
      const [at, to] = [r * length, r * length + row.length]
      ids.set(row, at)
      mask.fill(1, at, to)
      keep.fill(1, Math.min(at + from, to), to)
    })
    return { rows: tokens.length, length, ids, mask, keep }
  }
  return {
    queries: (texts, least = 0) => {
      const rows = texts.map((text) => wrap(prompts.query, text, lengths.query))
      const longest = rows.reduce((most, row) => Math.max(most, row.length), 1)
      return fill(rows, Math.max(bucket(longest, lengths.query), least), unpooled.query)
    },
    tokens: (text, kind) => encode(prompts[kind] + text).length + around,
    passage: (text) => wrap(prompts.passage, text, lengths.passage),
    passages: (tokens, length) => fill(tokens, length, unpooled.passage)
  }
}
