/** ROUGE (Lin 2004) as rouge-score 0.1.2 computes it, word for word. */
import { stem } from "./porter.ts"

/** Precision, recall and their harmonic mean, from 0 to 1. */
export interface PrecisionRecall {
  readonly precision: number
  readonly recall: number
  readonly f: number
}

const nothing: PrecisionRecall = { precision: 0, recall: 0, f: 0 }

/** Precision and recall with their harmonic mean; 0 where both are. */
export const balanced = (precision: number, recall: number): PrecisionRecall => ({
  precision,
  recall,
  f: precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
})

/** Words of ASCII letters and digits, lower-case; those of more than three letters are stemmed if asked for. */
export const tokens = (text: string, stemmed: boolean): ReadonlyArray<string> =>
  (text.toLowerCase().match(/[a-z0-9]+/g) ?? []).map((word) => stemmed && word.length > 3 ? stem(word) : word)

const counted = (words: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

const grams = (words: ReadonlyArray<string>, n: number): ReadonlyArray<string> =>
  Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join(" "))

/** Runs of `n` words in common, each counted as often as both have it. */
const ofRuns = (n: number) => (reference: string, text: string, stemmed: boolean): PrecisionRecall => {
  const [wanted, given] = [reference, text].map((own) => counted(grams(tokens(own, stemmed), n)))
  const total = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0)
  const both = [...wanted!].reduce((sum, [gram, count]) => sum + Math.min(count, given!.get(gram) ?? 0), 0)
  return balanced(both / Math.max(1, total(given!)), both / Math.max(1, total(wanted!)))
}

/** Lengths of the longest common subsequence of each pair of beginnings: [a + 1, b + 1], by rows. */
const lengths = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): Int32Array => {
  const width = b.length + 1
  const table = new Int32Array((a.length + 1) * width)
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i * width + j] = a[i - 1] === b[j - 1]
        ? table[(i - 1) * width + j - 1]! + 1
        : Math.max(table[(i - 1) * width + j]!, table[i * width + j - 1]!)
    }
  }
  return table
}

/** The longest common subsequence of the whole texts. */
const ofTexts = (reference: string, text: string, stemmed: boolean): PrecisionRecall => {
  const [wanted, given] = [tokens(reference, stemmed), tokens(text, stemmed)]
  if (wanted.length === 0 || given.length === 0) return nothing
  const both = lengths(wanted, given).at(-1)!
  return balanced(both / given.length, both / wanted.length)
}

/** The places in `a` of a longest common subsequence: of several, the one that rouge-score takes. */
const places = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<number> => {
  const [table, width, found] = [lengths(a, b), b.length + 1, new Array<number>()]
  let [i, j] = [a.length, b.length]
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      found.push(i - 1)
      i--
      j--
    } else if (table[i * width + j - 1]! > table[(i - 1) * width + j]!) j--
    else i--
  }
  return found
}

/** Common subsequences of each line of the reference with all lines of the text, united; no word counts twice. */
const ofLines = (reference: string, text: string, stemmed: boolean): PrecisionRecall => {
  const [wanted, given] = [reference, text].map((own) =>
    own.split("\n").filter((line) => line !== "").map((line) => tokens(line, stemmed))
  )
  const [left, right] = [counted(wanted!.flat()), counted(given!.flat())]
  const [m, n] = [wanted!.flat().length, given!.flat().length]
  if (m === 0 || n === 0) return nothing
  let hits = 0
  for (const line of wanted!) {
    const union = new Set(given!.flatMap((own) => places(line, own)))
    for (const place of [...union].toSorted((a, b) => a - b)) {
      const word = line[place]!
      const [a, b] = [left.get(word) ?? 0, right.get(word) ?? 0]
      if (a === 0 || b === 0) continue
      hits++
      left.set(word, a - 1)
      right.set(word, b - 1)
    }
  }
  return balanced(hits / n, hits / m)
}

/** The kinds, by rouge-score's names. */
export const rouge = { rouge1: ofRuns(1), rouge2: ofRuns(2), rougeL: ofTexts, rougeLsum: ofLines } as const
/** A kind of ROUGE. */
export type Rouge = keyof typeof rouge
