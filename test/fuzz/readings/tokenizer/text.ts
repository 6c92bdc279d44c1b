/** A text character by character, each with its place in the text that was given; and what splits it. */
import * as own from "../fields.ts"
import { bad } from "../records.ts"

export type Char = readonly [character: string, from: number]
export type Text = ReadonlyArray<Char>

export const spelled = (text: Text): string => text.map(([c]) => c).join("")
export const charsOf = (text: string): Text => [...text].map((c, i) => [c, i])

/** What the second reading cannot judge. */
export class Unsure extends Error {}

/** First character and the one after the last. */
export type Span = readonly [start: number, end: number]
export type Matches = (text: Text) => ReadonlyArray<Span>

/** Expressions of the test's own files in JavaScript, which mean the same there of the texts that the test has. */
const expressions: ReadonlyMap<string, RegExp> = new Map([
  [String.raw`\s+`, /\p{White_Space}+/gu],
  [" {2,}", / {2,}/gu],
  [String.raw`\p{N}{1,2}`, /\p{N}{1,2}/gu],
  [String.raw`(?i:THE|e)| ?\p{L}+`, /[tT][hH][eE]|[eE]| ?\p{L}+/gu],
  ["[^a-z]", /[^a-z]/gu],
  ["x*", /x*/gu],
  ["(?:a|b)+(?=c)", /[ab]+(?=c)/gu]
])
const gpt2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu

/** Of empty matches there is none right behind another match. */
const matchesOf = (expression: RegExp): Matches => (text) => {
  const units = [0]
  for (const [c] of text) units.push(units.at(-1)! + c.length)
  const spans: Array<Span> = []
  for (const { 0: found, index } of spelled(text).matchAll(expression)) {
    const span: Span = [units.indexOf(index), units.indexOf(index + found.length)]
    if (span[0] !== span[1] || spans.at(-1)?.[1] !== span[0]) spans.push(span)
  }
  return spans
}

export const byGpt2 = matchesOf(gpt2)
export const byClass = (of: RegExp): Matches => (text) =>
  text.flatMap(([c], i): ReadonlyArray<Span> => of.test(c) ? [[i, i + 1]] : [])

export interface Pattern {
  readonly matches: Matches
  /** Whether it may match the empty text. */
  readonly nullable: boolean
}

/** The empty text is at every place. */
const literal = (wanted: string): Pattern => ({
  matches: (text) => {
    const spans: Array<Span> = []
    const length = [...wanted].length
    for (let i = 0; i + length <= text.length;) {
      const is = spelled(text.slice(i, i + length)) === wanted
      if (is) spans.push([i, i + length])
      i += is ? Math.max(1, length) : 1
    }
    return spans
  },
  nullable: wanted === ""
})

const ofExpression = (source: string): Pattern => {
  const known = expressions.get(source)
  if (known) return { matches: matchesOf(known), nullable: "".match(known) !== null }
  if (/^[\w /-]{0,100}$/.test(source)) return literal(source)
  const matches = () => {
    throw new Unsure(source)
  }
  return { matches, nullable: false }
}

export const patternOf: own.Read<Pattern> = (value) => {
  const fields = own.fieldsOf(value, "String", "Regex")
  const [kind, ...more] = Object.keys(fields)
  if (kind === undefined || more.length > 0) return bad("not one pattern")
  return (kind === "String" ? literal : ofExpression)(own.text(fields[kind]))
}

export const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const
export type Behavior = typeof behaviors[number]

type Stretch = readonly [span: Span, delimits: boolean]

/** In turn, what matches and what lies between. */
const stretches = (length: number, matches: ReadonlyArray<Span>, invert: boolean): ReadonlyArray<Stretch> => {
  const all: Array<Stretch> = []
  let at = 0
  for (const span of [...matches, [length, length] as const]) {
    if (at < span[0]) all.push([[at, span[0]], invert])
    all.push([span, !invert])
    at = span[1]
  }
  return all.slice(0, -1)
}

/** Whether a stretch goes with the one before it. */
const joins: Readonly<Record<Behavior, (before: boolean, delimits: boolean) => boolean>> = {
  Removed: () => false,
  Isolated: () => false,
  MergedWithPrevious: (before, delimits) => delimits && !before,
  MergedWithNext: (before, delimits) => !delimits && before,
  Contiguous: (before, delimits) => before === delimits
}

/** The parts of a text, none of them empty. */
export const cut = (text: Text, matches: Matches, behavior: Behavior, invert = false): ReadonlyArray<Text> => {
  const parts: Array<Span> = []
  const all = stretches(text.length, matches(text), invert)
  for (const [i, [span, delimits]] of all.entries()) {
    if (behavior === "Removed" && delimits) continue
    const joined = i > 0 && joins[behavior](all[i - 1]![1], delimits)
    if (joined) parts.push([parts.pop()![0], span[1]])
    else parts.push(span)
  }
  return parts.map(([start, end]) => text.slice(start, end)).filter((part) => part.length > 0)
}
