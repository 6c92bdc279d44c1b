/** SentencePiece's BPE as merges: GGUF has a score for each token instead, and joins what makes the best one first. */
import { Malformed } from "../malformed.ts"
import type { Metadata } from "../metadata.ts"
import { kinds, type Token } from "./vocabulary.ts"

const SCORES = "tokenizer.ggml.scores"

interface Merge {
  readonly pair: readonly [string, string]
  readonly score: number
  /** Characters of each token. */
  readonly lengths: readonly [number, number]
}

/** The pairs of tokens whose characters together are the token. */
const pairsOf = (text: string, score: number, isToken: (text: string) => boolean): ReadonlyArray<Merge> => {
  const characters = [...text]
  return characters.slice(1).flatMap((_, i) => {
    const pair = [characters.slice(0, i + 1).join(""), characters.slice(i + 1).join("")] as const
    const lengths = [i + 1, characters.length - i - 1] as const
    return isToken(pair[0]) && isToken(pair[1]) ? [{ pair, score, lengths }] : []
  })
}

/**
 * All pairs of ordinary tokens that make another, the best score first; of one score, the longer tokens first, as
 * transformers converts such a tokenizer. `scores` are by id.
 */
export const mergesBy = (
  scores: ReadonlyArray<number>,
  tokens: ReadonlyArray<Token>
): ReadonlyArray<readonly [string, string]> => {
  const ordinary = tokens.filter(({ kind }) => kind === kinds.normal)
  const texts = new Set(ordinary.map(({ text }) => text))
  const isToken = (text: string) => texts.has(text)
  return ordinary.flatMap(({ id, text }) => pairsOf(text, scores[id]!, isToken))
    .toSorted((a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1])
    .map(({ pair }) => pair)
}

/**
 * The merges under the scores of a file.
 *
 * @throws Malformed unless each token has a score.
 */
export const mergesOf = (
  metadata: Metadata,
  tokens: ReadonlyArray<Token>
): ReadonlyArray<readonly [string, string]> => {
  const scores = metadata.numbers(SCORES)
  const size = metadata.texts("tokenizer.ggml.tokens").length
  if (scores.length === size) return mergesBy(scores, tokens)
  throw new Malformed(SCORES, `has ${scores.length} elements for ${size} tokens`)
}
