/** How much texts have in common, by their words. */

/** Words of a text, lower-case; in scripts without blanks between words, each character is one. */
export const wordsOf = (text: string): ReadonlyArray<string> =>
  text.normalize("NFKC").toLowerCase().match(
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}]+/gu
  ) ?? []

/** Every run of `n` words; a shorter text is one run. */
export const shingles = (words: ReadonlyArray<string>, n: number): ReadonlySet<string> => {
  if (words.length <= n) return new Set(words.length === 0 ? [] : [words.join(" ")])
  return new Set(Array.from({ length: words.length - n + 1 }, (_, i) => words.slice(i, i + n).join(" ")))
}

/** Share of the elements of two sets that both have: |A ∩ B| / |A ∪ B| (Jaccard); 0 of two empty sets. */
export const jaccard = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => {
  const [few, many] = a.size < b.size ? [a, b] : [b, a]
  let both = 0
  for (const one of few) if (many.has(one)) both++
  return both === 0 ? 0 : both / (a.size + b.size - both)
}

/** Words of a near-duplicate's shingles. */
export const SHINGLE = 5

/** Jaccard index of the runs of five words of two texts. */
export const likeness = (a: string, b: string): number =>
  jaccard(shingles(wordsOf(a), SHINGLE), shingles(wordsOf(b), SHINGLE))

/** Whether the words of `part` follow each other in `text`. */
export const contains = (text: string, part: string): boolean => {
  const words = wordsOf(part)
  return words.length > 0 && ` ${wordsOf(text).join(" ")} `.includes(` ${words.join(" ")} `)
}

/** Whether two texts share a run of `n` words. */
export const sharesRun = (a: string, b: string, n: number): boolean => {
  const [x, y] = [wordsOf(a), wordsOf(b)]
  if (x.length < n || y.length < n) return false
  const runs = shingles(x, n)
  return [...shingles(y, n)].some((run) => runs.has(run))
}
