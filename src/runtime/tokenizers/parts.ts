/** A text in parts, on its way from characters to ids. */
import type { Pattern } from "./patterns/patterns.ts"

/** Text to be split further, or the id of an added token. */
export type Part = string | number

/** Parts of a text, in order. */
export interface Parts {
  readonly parts: ReadonlyArray<Part>
  /** For the leading parts: how many of their UTF-16 units come from the very start of the text. */
  readonly heads: ReadonlyArray<number>
}

/** Length of the first character in UTF-16 units. */
export const firstLength = (text: string): number => text === "" ? 0 : (text.codePointAt(0)! > 0xffff ? 2 : 1)

/** A text as one part. */
export const whole = (text: string): Parts => ({ parts: [text], heads: [firstLength(text)] })

/** How delimiters are treated, named as in tokenizer.json. */
export type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous"
/** All values of `Behavior`. */
export const behaviors: ReadonlyArray<Behavior> = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous"
]

/** Spans of a text as a flat list of starts and ends, in UTF-16 units. */
export type Spans = ReadonlyArray<number>

/** Alternates unmatched spans and matches, covering the text; `flags` marks the matches. */
const covering = (matches: Spans, length: number) => {
  const spans: Array<number> = []
  const flags: Array<boolean> = []
  let at = 0
  const push = (start: number, end: number, flag: boolean) => {
    spans.push(start, end)
    flags.push(flag)
  }
  for (let i = 0; i < matches.length; i += 2) {
    if (at !== matches[i]!) push(at, matches[i]!, false)
    push(matches[i]!, matches[i + 1]!, true)
    at = matches[i + 1]!
  }
  if (at !== length) push(at, length, false)
  return { spans, flags }
}

/** Joins each span to the previous one if `joins` holds for their flags. */
const joined = (
  spans: Spans,
  flags: ReadonlyArray<boolean>,
  joins: (flag: boolean, last: boolean) => boolean
): Spans => {
  const out: Array<number> = []
  let last = false
  for (let i = 0; i < flags.length; i++) {
    if (out.length > 0 && joins(flags[i]!, last)) out[out.length - 1] = spans[2 * i + 1]!
    else out.push(spans[2 * i]!, spans[2 * i + 1]!)
    last = flags[i]!
  }
  return out
}

/** Joins each delimiter to the following span, unless that is a delimiter. */
const joinedBackwards = (spans: Spans, flags: ReadonlyArray<boolean>): Spans => {
  const out: Array<readonly [number, number]> = []
  let last = false
  for (let i = flags.length - 1; i >= 0; i--) {
    const start = spans[2 * i]!
    if (flags[i]! && !last && out.length > 0) out[out.length - 1] = [start, out.at(-1)![1]]
    else out.push([start, spans[2 * i + 1]!])
    last = flags[i]!
  }
  return out.toReversed().flat()
}

/** The spans into which matches, or if inverted the rest, split a text. */
export const cut = (matches: Spans, length: number, behavior: Behavior, invert: boolean): Spans => {
  if (behavior === "Removed" && invert) return matches
  const { flags, spans } = covering(matches, length)
  const delimits = invert ? flags.map((flag) => !flag) : flags
  switch (behavior) {
    case "Isolated":
      return spans
    case "Removed":
      return spans.filter((_, i) => !delimits[i >> 1]!)
    case "Contiguous":
      return joined(spans, delimits, (flag, last) => flag === last)
    case "MergedWithPrevious":
      return joined(spans, delimits, (flag, last) => flag && !last)
    case "MergedWithNext":
      return joinedBackwards(spans, delimits)
  }
}

/** Splits every text part; empty spans are dropped. */
export const splitAll = ({ heads, parts }: Parts, spansOf: (text: string) => Spans): Parts => {
  const out: Array<Part> = []
  const outHeads: Array<number> = []
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    const head = heads[i] ?? 0
    if (typeof part === "number") {
      if (i < heads.length) outHeads.push(0)
      out.push(part)
      continue
    }
    const spans = spansOf(part)
    for (let j = 0; j < spans.length; j += 2) {
      const start = spans[j]!
      const end = spans[j + 1]!
      if (start === end) continue
      if (start < head) outHeads.push(Math.min(head, end) - start)
      out.push(start === 0 && end === part.length ? part : part.slice(start, end))
    }
  }
  return { parts: out, heads: outHeads }
}

/** Splits at the matches of a pattern, or if inverted at the rest. */
export const byPattern = (pattern: Pattern, behavior: Behavior, invert: boolean) => (parts: Parts): Parts =>
  splitAll(parts, (text) => cut(pattern.matches(text), text.length, behavior, invert))

/** Splits at the characters of a class. */
export const byCharacter = (is: (code: number) => boolean, behavior: Behavior) => (parts: Parts): Parts =>
  splitAll(parts, (text) => {
    const matches: Array<number> = []
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i)!
      const width = code > 0xffff ? 2 : 1
      if (is(code)) matches.push(i, i + width)
      i += width - 1
    }
    return cut(matches, text.length, behavior, false)
  })

/** Prepends a text to the parts selected by `where`; `first`: whether the part is at the start of the text. */
export const prepend = (
  { heads, parts }: Parts,
  text: string,
  where: (part: string, first: boolean) => boolean
): Parts => {
  const outHeads = [...heads]
  const out = parts.map((part, i) => {
    if (typeof part === "number" || !where(part, i < heads.length && heads[i]! > 0)) return part
    if (i < heads.length && heads[i]! > 0) outHeads[i] = heads[i]! + text.length
    return text + part
  })
  return { parts: out, heads: outHeads }
}
