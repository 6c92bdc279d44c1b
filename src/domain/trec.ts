/** Rankings and judgements as trec_eval reads them: fields between blanks, equal scores in order of id. */

/** What an id may not hold in a file: blanks and control characters of all scripts, half characters, `%` itself. */
const special = /[\p{Z}\p{Cc}\p{Cs}%]|^#/gu

const percent = (character: string): string =>
  character.isWellFormed()
    ? Array.from(new TextEncoder().encode(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join("")
    : `%u${character.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * An id as one field of a line: percent-encoded as in an address where it must be, so that `decodeURIComponent` gives it
 * back; half a surrogate pair as `%uD800`. A `#` in front would make a comment of the line.
 */
export const field = (id: string): string => id.replace(special, percent)

/** By the bytes of UTF-8, as C's `strcmp`: by code points. */
export const compareBytes = (a: string, b: string): number => {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Ids with their scores; the greater the better. */
export type Ranking = ReadonlyArray<readonly [id: string, score: number]>

/** As trec_eval ranks it: by falling score, equal ones by falling id as it is written; each id once, at its best. */
export const ranked = (ranking: Ranking): Ranking => {
  const best = new Map<string, number>()
  for (const [id, score] of ranking) best.set(id, Math.max(score, best.get(id) ?? -Infinity))
  return [...best].toSorted(([a, x], [b, y]) => y - x || compareBytes(field(b), field(a)))
}

/** Lines of a run file: query, Q0, document, rank, score, run. */
export const runLines = (query: string, ranking: Ranking): ReadonlyArray<string> =>
  ranking.map(([id, score], i) => [field(query), "Q0", field(id), i + 1, score, "anamnesis"].join("\t"))

/** Lines of a file of judgements: query, 0, document, 1. */
export const qrelLines = (query: string, relevant: Iterable<string>): ReadonlyArray<string> =>
  [...new Set(relevant)].map((id) => [field(query), 0, field(id), 1].join("\t"))
