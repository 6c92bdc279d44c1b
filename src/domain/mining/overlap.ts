/** How much of two passages is the same: w-shingling (Broder 1997, "On the resemblance and containment of documents"). */
import { words } from "../bm25.ts"
import { shingles as runs } from "../texts/overlap.ts"

/** Words of a shingle. */
const WIDTH = 5

/** The runs of five consecutive words of a text, case and punctuation aside; a shorter text has one, all its words. */
export const shingles = (text: string): ReadonlySet<string> => runs(words(text), WIDTH)

/** The text that counts as equal: blanks at the ends, and how many there are between words, make no difference. */
export const plain = (text: string): string => text.trim().replaceAll(/\s+/g, " ")
