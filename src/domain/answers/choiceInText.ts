/** Finds an option at a position in a text, by its letter or its words. */
import { type Options, optionsOf } from "./optionText.ts"

/** The options and how they may be chosen. */
export interface Choices {
  readonly options: Options
  /** How to read a single letter that is both the text of one option and the letter of another. */
  readonly answers: "letter" | "text"
}

/** The choices for these options; the first is A. */
export const choicesOf = (texts: ReadonlyArray<string>, answers: "letter" | "text"): Choices => ({
  options: optionsOf(texts),
  answers
})

/** An option named at a position in a text. */
export interface Choice {
  readonly option: number
  /** The position after it. */
  readonly to: number
  readonly byLetter: boolean
  /** Another option follows directly, as in "A and C". */
  readonly two: boolean
}

const punctuation = /^[\s"'“”‘’«([{<:：=>*#•~]*/
/** Filler words between "the answer is" and the answer. */
const filler =
  /^(?:(?:the|an?)(?=\s+[\p{L}("'“])|option|choice|letter|answer|alternative|number)(?![\p{L}\p{N}])[\s"'“‘([:：#]*/iu
/** What may follow an option's letter: the end, punctuation, or a word that cannot follow the article "a". */
const boundary = /^(?:$|[\s]*$|[.,;:!?)\]}>"”’'»/&\n|–—。，、]|\s*\n|\s+[-–—(&/])/
const connective =
  /^\s+(?:because|since|as|is|was|for|based|due|which|with|that|and|or|but|in|given|by|from|here|would|seems|und|oder|et|ou)\b/i
/** An abbreviated genus: E. coli, C. difficile. */
const genus = /^\.\s+[a-z]/

/** Whether the text after a letter allows it to be an option's letter. */
const isLetter = (letter: string, wrapped: boolean, rest: string, { options }: Choices): boolean => {
  if (wrapped && /^[)\]}>]/.test(rest)) return true
  const word = /^[.):]?\s+(?=\S)/.exec(rest)?.[0].length
  const named = word !== undefined && options.at(options.words(rest.slice(word, word + 200)), 0) !== undefined
  if (letter !== letter.toUpperCase()) return named || /^(?:[.)]?\s*$|[.)]?\s*\n|[,;)])/.test(rest)
  if (genus.test(rest) && !connective.test(rest.slice(1))) return named
  return boundary.test(rest) || connective.test(rest) || named
}

/** The option whose words begin the text. */
const byWords = (text: string, { options }: Choices): Choice | undefined => {
  const words = options.words(text.slice(0, 400))
  const found = words[0] && words[0].from === 0 ? options.at(words, 0) : undefined
  return found && { option: found.option, to: words[found.next - 1]!.to, byLetter: false, two: false }
}

const byLetter = (text: string, wrapped: boolean, c: Choices): Choice | undefined => {
  const letter = /^[A-Za-z](?![\p{L}\p{N}])/u.exec(text)?.[0]
  if (letter === undefined || !isLetter(letter, wrapped, text.slice(1), c)) return undefined
  const option = letter.toUpperCase().charCodeAt(0) - 65
  return option < c.options.count ? { option, to: 1, byLetter: true, two: false } : undefined
}

/** Words win over a letter, except for options that are a single letter when answers are letters. */
const one = (text: string, wrapped: boolean, c: Choices): Choice | undefined => {
  const [words, letter] = [byWords(text, c), byLetter(text, wrapped, c)]
  if (!words || !letter) return words ?? letter
  return words.to === 1 && c.answers === "letter" ? letter : words
}

const at = (text: string, from: number, c: Choices): Choice | undefined => {
  for (let place = from, tries = 0; tries < 4; tries++) {
    const marks = punctuation.exec(text.slice(place, place + 40))![0]
    place += marks.length
    const rest = text.slice(place, place + 600)
    const found = one(rest, /[([{<]$/.test(marks.trimEnd()), c)
    if (found) return { ...found, to: place + found.to }
    const skipped = filler.exec(rest)?.[0].length
    if (skipped === undefined) return undefined
    place += skipped
    if (/[([{<]$/.test(text.slice(0, place).trimEnd())) place--
  }
  return undefined
}

const joint = /^["'”’)\]}]*\s*(,|\/|&|\+|(?:and|or|und|oder|et|ou)\b)\s*/i
const ended = /^["'”’)\]}]*\s*(?:$|[.,;\n]|(?:and|or)\b)/i

/** The option at a position in a text, after skipping punctuation and words such as "option". */
export const choiceAt = (text: string, from: number, c: Choices): Choice | undefined => {
  const first = at(text, from, c)
  if (!first) return undefined
  const link = joint.exec(text.slice(first.to, first.to + 40))
  if (!link) return first
  const second = at(text, first.to + link[0].length, c)
  const two = second !== undefined && second.option !== first.option
    && (link[1] !== "," || ended.test(text.slice(second.to, second.to + 40)))
  return { ...first, two }
}

/** The letter in brackets after an option's words, if it stands by itself. */
export const labelled = (text: string, { options }: Choices): number | undefined => {
  const letter = /^\s*[([]([A-Za-z])[)\]][.\s]*$/.exec(text)?.[1]?.toUpperCase()
  const option = letter === undefined ? -1 : letter.charCodeAt(0) - 65
  return option >= 0 && option < options.count ? option : undefined
}

/** An option; -1 if the text settles on several; `undefined` if it settles on none. */
export type Verdict = number | undefined

/** The verdict of a choice: its option, -1 if two stand next to each other, `undefined` if none was found. */
export const settled = (found: Choice | undefined): Verdict => found?.two ? -1 : found?.option

/** How option letters are written within a text: (B), B), [B], option B. */
const letterForms =
  /[([]([A-Za-z])[)\]]|(?<![\p{L}\p{N}(])([A-Z])\)|\b(?:option|choice|answer)\s+["'“‘]?([A-Z])(?![\p{L}\p{N}'’-])/giu

/** Option letters in a text, with their start and end positions. */
export const lettersIn = (text: string, c: Choices) =>
  [...text.matchAll(letterForms)].flatMap(({ 0: own, 1: wrapped, 2: closed, 3: named, index }) => {
    const letter = wrapped ?? closed ?? named!
    const option = letter.toUpperCase().charCodeAt(0) - 65
    const isLower = letter !== letter.toUpperCase()
    if (option >= c.options.count || (isLower && wrapped === undefined)) return []
    return [{ option, from: index, to: index + own.length }]
  })
