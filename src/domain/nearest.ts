/** Suggests the known name that a misspelt word may stand for. */

/** Longest word to compare; nobody mistypes a longer name. */
const LONGEST = 64

/** Edit distance between two words (insert, delete, replace, swap neighbours). */
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

/** The closest candidate in spelling, if any is close enough; `undefined` for words of more than 64 characters. */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  if (word.length > LONGEST) return undefined
  const near = [...candidates].filter(({ length }) => Math.abs(length - word.length) <= Math.max(2, word.length / 3))
  const ranked = near.map((c) => [distance(word, c), c] as const).toSorted((a, b) => a[0] - b[0])
  const [best] = ranked
  return best && best[0] <= Math.max(2, word.length / 3) ? best[1] : undefined
}
