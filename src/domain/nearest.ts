/** Which known name a word that is none may have been meant for. */

/** No name that anyone mistypes is longer. */
const LONGEST = 64

/** Edits (insert, delete, replace, swap neighbours) from one word to another. */
const distance = (a: string, b: string): number => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replace, rows[i - 1]![j]! + 1, row[j - 1]! + 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
      }
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}

/** The candidate nearest in spelling, if any is near; none is near a word of more than 64 characters. */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  if (word.length > LONGEST) return undefined
  const near = [...candidates].filter(({ length }) => Math.abs(length - word.length) <= Math.max(2, word.length / 3))
  const ranked = near.map((c) => [distance(word, c), c] as const).toSorted((a, b) => a[0] - b[0])
  const [best] = ranked
  return best && best[0] <= Math.max(2, word.length / 3) ? best[1] : undefined
}
