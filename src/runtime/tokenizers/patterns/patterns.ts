/** The patterns of Split and Replace: where they match a text, found in bounded time. */
import { brief, cut } from "../../../domain/brief.ts"
import { limited, TookTooLong } from "../../files/timeLimit.ts"
import { type Fields, Misfit } from "../fields.ts"
import { worstCase } from "./matchCost.ts"
import { type Alternatives, translate } from "./oniguruma.ts"
import { Unsupported } from "./unsupported.ts"

export interface Pattern {
  /**
   * First unit and the one after the last of every match, one after the other.
   *
   * @throws Misfit where that takes too long.
   */
  readonly matches: (text: string) => ReadonlyArray<number>
  /** Whether it may match the empty text. */
  readonly nullable: boolean
}

/** As many steps take a fraction of a second; what may take more is watched. */
const unwatched = 3e7

/** Seconds for so many units of text: ten times what a slow machine needs for a slow pattern. */
const secondsFor = (length: number): number => 5 + length / 20_000

const tooLong = (place: string, text: string): Misfit =>
  new Misfit(
    place,
    `no end of matching after ${secondsFor(text.length).toFixed(0)} s: ${JSON.stringify(text.slice(0, 40))}`
  )

/** An empty match right after another is none; the search goes on a character further. */
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

/** The worst case grows with the length, so what it is for the next power of two bounds it. */
const bounded = (alternatives: Alternatives): (length: number) => number => {
  const known: Array<number> = []
  return (length) => {
    const power = 32 - Math.clz32(length)
    return known[power] ??= worstCase(alternatives, 2 ** power)
  }
}

/** @throws Unsupported where it cannot be matched exactly as there. */
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
      /** What matching remembers to go back to. */
      if (cause instanceof RangeError) throw new Misfit(place, "matching takes more memory than there is")
      throw cause
    }
  }
  return { matches, nullable }
}

const ofText = (wanted: string, place: string): Pattern =>
  wanted === "" ? ofRegex("", place) : { matches: (text) => literally(wanted, text), nullable: false }

/**
 * `{"String": ...}`, which stands for itself, or `{"Regex": ...}`, an expression of Oniguruma.
 *
 * @throws Misfit where it is neither, or cannot be matched exactly as there.
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

/** The pattern of `ByteLevel`, which models of OpenAI's began with. */
export const gpt2 = (place: string): Pattern =>
  ofRegex(String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, place)
