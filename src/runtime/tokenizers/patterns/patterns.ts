/** Patterns of Split and Replace, matched in bounded time. */
import { brief, cut } from "../../../domain/brief.ts"
import { limited, TookTooLong } from "../../files/timeLimit.ts"
import { type Fields, Misfit } from "../fields.ts"
import { worstCase } from "./matchCost.ts"
import { type Alternatives, translate } from "./oniguruma.ts"
import { Unsupported } from "./unsupported.ts"

export interface Pattern {
  /**
   * Start and end of each match, in UTF-16 units, as a flat list.
   *
   * @throws Misfit if matching takes too long.
   */
  readonly matches: (text: string) => ReadonlyArray<number>
  /** Whether it can match the empty string. */
  readonly nullable: boolean
}

/** Worst-case steps that take a fraction of a second; beyond that, matching has a time limit. */
const unwatched = 3e7

/**
 * Time limit in seconds for a text of this length in UTF-16 units: ten times what a slow pattern needs on a slow
 * machine.
 */
const secondsFor = (length: number): number => 5 + length / 20_000

const tooLong = (place: string, text: string): Misfit =>
  new Misfit(
    place,
    `no end of matching after ${secondsFor(text.length).toFixed(0)} s: ${JSON.stringify(text.slice(0, 40))}`
  )

/** As in Oniguruma, an empty match directly after another match is skipped. */
const found = (regex: RegExp, text: string): ReadonlyArray<number> => {
  const spans: Array<number> = []
  let ended = -1
  regex.lastIndex = 0
  while (regex.lastIndex <= text.length) {
    const match = regex.exec(text)
    if (match === null) break
    const { index } = match
    const end = index + match[0].length
    if (end === index && ended === end) {
      regex.lastIndex = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1)
      continue
    }
    spans.push(index, end)
    ended = end
    regex.lastIndex = end
  }
  return spans
}

const literally = (wanted: string, text: string): ReadonlyArray<number> => {
  const spans: Array<number> = []
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) {
    spans.push(at, at + wanted.length)
  }
  return spans
}

/** An upper bound of the worst case, cached for the next power of two of the length. */
const bounded = (alternatives: Alternatives): (length: number) => number => {
  const known: Array<number> = []
  return (length) => {
    const power = 32 - Math.clz32(length)
    return known[power] ??= worstCase(alternatives, 2 ** power)
  }
}

/** @throws Unsupported if it cannot be matched exactly as in Oniguruma. */
const ofRegex = (source: string, place: string): Pattern => {
  const { alternatives, nullable, regex } = translate(source)
  const worst = bounded(alternatives)
  const matches = (text: string): ReadonlyArray<number> => {
    try {
      return worst(text.length) > unwatched
        ? limited(1000 * secondsFor(text.length), () => found(regex, text))
        : found(regex, text)
    } catch (cause) {
      if (cause instanceof TookTooLong) throw tooLong(place, text)
      /** The backtracking stack is exhausted. */
      if (cause instanceof RangeError) throw new Misfit(place, "matching takes more memory than there is")
      throw cause
    }
  }
  return { matches, nullable }
}

const ofText = (wanted: string, place: string): Pattern =>
  wanted === "" ? ofRegex("", place) : { matches: (text) => literally(wanted, text), nullable: false }

/**
 * `{"String": ...}`, matched literally, or `{"Regex": ...}`, an Oniguruma expression.
 *
 * @throws Misfit if it is neither, or cannot be matched exactly as in Oniguruma.
 */
export const readPattern = (component: Fields): Pattern => {
  const fields = component.fields("pattern").only("String", "Regex")
  const [entry, ...more] = fields.entries()
  if (entry === undefined || more.length > 0) component.fail("pattern", "one of String and Regex is expected")
  const [kind] = entry
  const place = fields.at(kind)
  if (kind === "String") return ofText(fields.text(kind), place)
  try {
    return ofRegex(fields.text(kind), place)
  } catch (cause) {
    if (cause instanceof Unsupported) fields.fail(kind, `${brief(fields.get(kind))}: ${cut(cause.message, 400)}`)
    throw cause
  }
}

/** The pattern of `ByteLevel`, from GPT-2. */
export const gpt2 = (place: string): Pattern =>
  ofRegex(String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, place)
