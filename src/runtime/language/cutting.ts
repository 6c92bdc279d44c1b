/** Texts cut to a number of tokens, at either end. */
import type { Tokenizer } from "../tokenizers/tokenizer.ts"

type Encode = Tokenizer["encode"]

/** Moves an index out of the middle of a surrogate pair. */
const whole = (text: string, at: number): number => /[\uDC00-\uDFFF]/.test(text[at] ?? "") ? at + 1 : at

/** Binary search: the smallest of 0..hi at which a monotone condition holds; `hi` if none below. */
const least = (hi: number, holds: (at: number) => boolean): number => {
  let [from, to] = [0, hi]
  while (from < to) {
    const middle = (from + to) >> 1
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}

/** The longest prefix of a text with at most `most` tokens. */
export const beginning = (text: string, most: number, encode: Encode): string => {
  if (encode(text).length <= most) return text
  const first = least(text.length, (at) => encode(text.slice(0, whole(text, at))).length > most)
  return text.slice(0, whole(text, Math.max(0, first - 1)))
}

/** The longest suffix of a text with at most `most` tokens, from the next start of a word, if there is one. */
export const ending = (text: string, most: number, encode: Encode): string => {
  const first = whole(text, least(text.length, (at) => encode(text.slice(whole(text, at))).length <= most))
  const word = first === 0 ? 0 : /(?<=\s)\S/.exec(text.slice(first - 1))?.index
  return text.slice(word === undefined || first === 0 ? first : first - 1 + word)
}
