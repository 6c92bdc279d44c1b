/** Rankings and relevance judgements in trec_eval's format: blank-separated fields, ties ordered by id. */

/** Characters not allowed in ids: blanks and control characters of all scripts, lone surrogates, `%` itself. */
const special = /[\p{Z}\p{Cc}\p{Cs}%]|^#/gu

const percent = (character: string): string =>
  character.isWellFormed()
    ? Array.from(new TextEncoder().encode(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join("")
    : `%u${character.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * An id as one field of a line: percent-encoded as in a URL where necessary, so that `decodeURIComponent` restores it;
 * a lone surrogate becomes `%uD800`. A leading `#` would start a comment.
 */
export const field = (id: string): string => id.replace(special, percent)

/** Compares by UTF-8 bytes, as C's `strcmp`: by code point. */
export const compareBytes = (a: string, b: string): number => {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Ids with scores; higher is better. */
export type Ranking = ReadonlyArray<readonly [id: string, score: number]>

/** Sorted as trec_eval does: by falling score, ties by falling encoded id; each id once, with its best score. */
export const ranked = (ranking: Ranking): Ranking => {
  const best = new Map<string, number>()
  for (const [id, score] of ranking) best.set(id, Math.max(score, best.get(id) ?? -Infinity))
  return [...best].toSorted(([a, x], [b, y]) => y - x || compareBytes(field(b), field(a)))
}

/** Lines of a run file: query, Q0, document, rank, score, run. */
export const runLines = (query: string, ranking: Ranking): ReadonlyArray<string> =>
  ranking.map(([id, score], i) => [field(query), "Q0", field(id), i + 1, score, "anamnesis"].join("\t"))

/** Lines of a qrels file: query, 0, document, 1. */
export const qrelLines = (query: string, relevant: Iterable<string>): ReadonlyArray<string> =>
  [...new Set(relevant)].map((id) => [field(query), 0, field(id), 1].join("\t"))
