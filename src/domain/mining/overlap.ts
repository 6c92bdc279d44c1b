/** How much of two texts is the same: w-shingling (Broder 1997, "On the resemblance and containment of documents"). */
import { words } from "../bm25.ts"

/** Words of a shingle. */
const WIDTH = 5

/** The runs of five consecutive words of a text, case and punctuation aside; a shorter text has one, all its words. */
export const shingles = (text: string): ReadonlySet<string> => {
  const own = words(text)
  if (own.length === 0) return new Set()
  const last = Math.max(0, own.length - WIDTH)
  return new Set(Array.from({ length: last + 1 }, (_, i) => own.slice(i, i + WIDTH).join(" ")))
}

/** |a ∩ b| / |a ∪ b|, in [0, 1]; 0 if both are empty. */
export const jaccard = (a: ReadonlySet<string>, b: ReadonlySet<string>): number => {
  const [few, many] = a.size < b.size ? [a, b] : [b, a]
  let both = 0
  for (const one of few) if (many.has(one)) both++
  const either = a.size + b.size - both
  return either === 0 ? 0 : both / either
}

/** The text that counts as equal: blanks at the ends, and how many there are between words, make no difference. */
export const plain = (text: string): string => text.trim().replaceAll(/\s+/g, " ")
