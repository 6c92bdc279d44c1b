/** Character classes as in Hugging Face's Rust library, where each uses its own Unicode version. */
import * as tables from "./tables.ts"

/** A set of code points; its bitmap is built on first use. */
export interface CharacterClass {
  readonly has: (code: number) => boolean
  /** First and last code point of each range, in ascending order. */
  readonly ranges: ReadonlyArray<readonly [number, number]>
}

const unpacked = (table: string): ReadonlyArray<readonly [number, number]> => {
  const numbers = table.split(" ").map((word) => Number.parseInt(word, 36))
  const ranges: Array<readonly [number, number]> = []
  let at = 0
  for (let i = 0; i < numbers.length; i += 2) {
    const first = at + numbers[i]!
    const last = first + numbers[i + 1]!
    ranges.push([first, last])
    at = last + 1
  }
  return ranges
}

const bitsOf = (ranges: ReadonlyArray<readonly [number, number]>): Uint8Array => {
  const bits = new Uint8Array(0x110000 >> 3)
  for (const [first, last] of ranges) {
    for (let code = first; code <= last; code++) bits[code >> 3]! |= 1 << (code & 7)
  }
  return bits
}

const classOf = (table: string): CharacterClass => {
  let known: CharacterClass["ranges"] | undefined
  let bits: Uint8Array | undefined
  const ranges = () => known ??= unpacked(table)
  return {
    get ranges() {
      return ranges()
    },
    has: (code) => {
      bits ??= bitsOf(ranges())
      return (bits[code >> 3]! >> (code & 7) & 1) === 1
    }
  }
}

export const unassigned = classOf(tables.unassigned)
export const punctuation = classOf(tables.punctuation)
export const nonspacingMarks = classOf(tables.nonspacingMarks)
export const combiningMarks = classOf(tables.combiningMarks)
export const numeric = classOf(tables.numeric)
export const unnormalised = classOf(tables.unnormalised)

export const isAscii = (text: string): boolean =>
  // eslint-disable-next-line no-control-regex
  /^[\0-\x7f]*$/.test(text)

/** The White_Space property, which includes U+0085 but not U+FEFF. */
export const isWhiteSpace = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13) || (code > 127 && (
    code === 0x85 || code === 0xa0 || code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 ||
    code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000
  ))

/** White_Space as members of a regular expression class. */
export const whiteSpace = String.raw`\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`

/** A code point as a regular expression escape, valid in and outside classes. */
export const escaped = (code: number): string => `\\u{${code.toString(16)}}`

const rangesIn = (matches: Iterable<RegExpMatchArray>): string =>
  [...matches].map(([run]) => {
    const codes = [...run].map((c) => c.codePointAt(0)!)
    const splits = codes.map((code, i) => i === 0 || codes[i - 1] !== code - 1)
    const firsts = codes.filter((_, i) => splits[i])
    const lasts = codes.filter((_, i) => i === codes.length - 1 || splits[i + 1])
    return firsts.map((first, i) => `${escaped(first)}-${escaped(lasts[i]!)}`).join("")
  }).join("")

let young: string | undefined

/** Ranges of characters that this machine's Unicode version assigns but the library's does not. */
export const younger = (): string => {
  if (young !== undefined) return young
  let all = ""
  for (const [first, last] of unassigned.ranges) {
    /** Skips private-use planes and planes without assigned characters. */
    for (let code = first; code <= Math.min(last, 0x3ffff); code++) all += String.fromCodePoint(code)
  }
  young = rangesIn(all.matchAll(/\P{Cn}+/gu))
  return young
}

let words: string | undefined

/** Word characters as in the `\w` of the library's own expressions, as a class for the `v` flag. */
export const wordClass = (): string =>
  words ??= String.raw`[[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]--[${escaped(0x10ffff)}${younger()}]]`

let scriptNumbers: Uint8Array | undefined

const readScripts = (): Uint8Array => {
  const numbers = tables.scripts.split(" ").map((word) => Number.parseInt(word, 36))
  const found = new Uint8Array(0x110000)
  let at = 0
  for (let i = 0; i < numbers.length; i += 3) {
    const first = at + numbers[i]!
    at = first + numbers[i + 1]! + 1
    found.fill(numbers[i + 2]! + 1, first, at)
  }
  return found
}

/** The script number of a character; 0 for characters without a script, which go with any. */
export const scriptOf = (code: number): number => (scriptNumbers ??= readScripts())[code]!

/** Offset to the lowercase letter of capitals that this machine's Unicode version may lack. */
const youngCapitals = (code: number): number =>
  code === 0xa7ce || code === 0xa7d2 || code === 0xa7d4 ? 1 : code >= 0x16ea0 && code <= 0x16eb8 ? 27 : 0

/** Lowercases characters one by one, independent of context. */
export const lowercase = (text: string): string => {
  if (isAscii(text)) return text.toLowerCase()
  let out = ""
  for (const c of text) {
    const code = c.codePointAt(0)!
    const shift = youngCapitals(code)
    out += shift === 0 ? c.toLowerCase() : String.fromCodePoint(code + shift)
  }
  return out
}
