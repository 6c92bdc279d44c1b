/** Where characters of a text fall among its tokens, found by tokenising what comes before them. */

type Encode = (text: string) => ReadonlyArray<number>

/** How far a token may reach beyond a place, in characters. */
const REACH = 64

const sharedLength = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  let n = 0
  while (n < a.length && n < b.length && a[n] === b[n]) n++
  return n
}

/** Tokens of a text's first `at` characters if they are the first of the whole text's tokens; -1 otherwise. */
const clean = (text: string, ids: ReadonlyArray<number>, at: number, encode: Encode): number => {
  const own = encode(text.slice(0, at))
  return sharedLength(own, ids) === own.length ? own.length : -1
}

/**
 * Number of tokens of `text`, which are `ids`, that begin before character `at`. Where a token lies across it, that one
 * begins before. Where several do (a word that is tokenised otherwise without its end), those count that are the same
 * without it.
 */
export const tokensBefore = (text: string, ids: ReadonlyArray<number>, at: number, encode: Encode): number => {
  if (at <= 0) return 0
  if (at >= text.length) return ids.length
  const exact = clean(text, ids, at, encode)
  if (exact >= 0) return exact
  let [below, above] = [0, ids.length]
  for (let i = 1; i <= REACH && at - i > 0; i++) {
    const found = clean(text, ids, at - i, encode)
    if (found < 0) continue
    below = found
    break
  }
  for (let i = 1; i <= REACH && at + i < text.length; i++) {
    const found = clean(text, ids, at + i, encode)
    if (found < 0) continue
    above = found
    break
  }
  return above - below === 1 ? above : Math.max(below, sharedLength(encode(text.slice(0, at)), ids))
}

/** Number of tokens that a text has in common with its beginning: where a completion begins, as in TRL. */
export const tokensShared = (beginning: ReadonlyArray<number>, whole: ReadonlyArray<number>): number =>
  sharedLength(beginning, whole)
