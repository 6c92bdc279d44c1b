/** Texts as the tokens that names of concepts are compared by. */

/** A token as it is compared, and its place in the text. */
export interface Token {
  readonly key: string
  readonly start: number
  readonly end: number
}

/** Options of comparing. */
export interface NormaliseOptions {
  /** Words that do not count, in names and in texts. */
  readonly stopWords: ReadonlySet<string>
}

/** The singular by Harman's S-stemmer (1991). */
export const singular = (word: string): string => {
  if (word.length <= 3 || !word.endsWith("s")) return word
  if (word.endsWith("ies")) return /[ea]ies$/.test(word) ? word : `${word.slice(0, -3)}y`
  if (word.endsWith("es")) return /[aeo]es$/.test(word) ? word : word.slice(0, -1)
  return /[us]s$/.test(word) ? word : word.slice(0, -1)
}

/** Most characters of an abbreviation. */
const SHORT = 5

/**
 * Whether a word is an abbreviation, and compared with its capitals: short, and most of its letters are such ("APC", "ALL",
 * not "All").
 */
const isAbbreviation = (word: string): boolean => {
  const [capitals, small] = [word.match(/\p{Lu}/gu)?.length ?? 0, word.match(/\p{Ll}/gu)?.length ?? 0]
  return word.length <= SHORT && capitals >= 2 && small < capitals
}

/** What follows an apostrophe: "Gaucher's" is "Gaucher". */
const POSSESSIVE = /['’][sS]?$/u
const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][sS]?(?![\p{L}\p{N}]))?/gu

/** The words of a text with their places; in lower case, singular, without possessive endings and punctuation. */
export const tokensOf = (text: string, { stopWords }: NormaliseOptions): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  for (const { 0: found, index } of text.matchAll(WORD)) {
    const word = found.replace(POSSESSIVE, "")
    const plain = word.normalize("NFKC").toLowerCase()
    if (stopWords.has(plain)) continue
    const key = isAbbreviation(word) ? word.normalize("NFKC") : singular(plain)
    tokens.push({ key, start: index, end: index + word.length })
  }
  return tokens
}

/** The fewest characters of a name, and of a name without capitals. */
const [LEAST, LEAST_SMALL] = [2, 3]

/** The keys of a name; `undefined` if it is too short or has no letter, so that it would be found everywhere. */
export const keysOf = (name: string, o: NormaliseOptions): ReadonlyArray<string> | undefined => {
  const keys = tokensOf(name, o).map(({ key }) => key)
  const whole = keys.join("")
  const least = /\p{Lu}/u.test(whole) ? LEAST : LEAST_SMALL
  return whole.length >= least && /\p{L}/u.test(whole) ? keys : undefined
}
