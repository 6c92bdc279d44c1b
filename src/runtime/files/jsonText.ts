/** What the text of a JSON value tells that the value itself does not: how deep it is, and which keys are given twice. */

/** A key that its object has already. */
export interface Repeated {
  readonly key: string
  /** How deep its object is; 1 is the outermost level. */
  readonly level: number
  /** Characters before the quote that ends it. */
  readonly at: number
  /** The element of the outermost array that it is in, from 1. */
  readonly element: number
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const [BRACE, BRACKET, BRACE_END, BRACKET_END] = [0x7b, 0x5b, 0x7d, 0x5d]

const unescaped = (key: string): string => {
  if (!key.includes("\\")) return key
  try {
    return JSON.parse(`"${key}"`) as string
  } catch {
    return key
  }
}

/** How many backslashes end a text, or what is before a place in it. */
const backslashes = (text: string, to: number): number => {
  let count = 0
  while (count < to && text.charCodeAt(to - count - 1) === BACKSLASH) count++
  return count
}

/** A JSON text that comes in pieces, looked at once; it need not be well-formed. */
export class Survey {
  /** How deep brackets are nested. */
  depth = 0
  /** How many keys have a backslash. */
  backslashed = 0
  private readonly told: (repeated: Repeated) => void
  /** Keys of the objects that are open, by level; none for an array. */
  private readonly open: Array<Set<string> | undefined> = []
  /** Characters before the piece, and the element of the outermost array. */
  private before = 0
  private element = 1
  /** What earlier pieces have of the string that is open; whether one is, and whether its next character is escaped. */
  private begun = ""
  private inside = false
  private escaped = false
  /** The string that has ended last, from its first character to its quote; a colon makes it a key. */
  private last: string | undefined
  private end = 0

  constructor(told: (repeated: Repeated) => void) {
    this.told = told
  }

  feed(text: string): void {
    let from = this.inside ? this.ended(text, 0) : 0
    for (let i = from; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === QUOTE) {
        from = i + 1
        i = this.ended(text, from) - 1
      } else if (code === COLON) this.key()
      else if (code === BRACE || code === BRACKET) this.enter(code)
      else if (code === BRACE_END || code === BRACKET_END) this.open.pop()
      else if (code === COMMA && this.open.length === 1) this.element++
    }
    this.before += text.length
  }

  /** The place after the quote that ends the string, of which the piece has what is from here on. */
  private ended(text: string, from: number): number {
    this.inside = true
    let end = text.indexOf("\"", from)
    while (end >= 0 && this.isEscaped(text, from, end)) end = text.indexOf("\"", end + 1)
    if (end < 0) {
      this.escaped = this.isEscaped(text, from, text.length)
      this.begun += text.slice(from)
      return text.length
    }
    this.last = this.begun + text.slice(from, end)
    this.end = this.before + end
    this.begun = ""
    this.inside = this.escaped = false
    return end + 1
  }

  /** Whether an odd number of backslashes is before a place in the string. */
  private isEscaped(text: string, from: number, at: number): boolean {
    const count = Math.min(backslashes(text, at), at - from)
    return (count + (count === at - from && this.escaped ? 1 : 0)) % 2 === 1
  }

  private enter(code: number): void {
    this.depth = Math.max(this.depth, this.open.push(code === BRACE ? new Set() : undefined))
    this.last = undefined
  }

  /** The last string is a key. */
  private key(): void {
    const keys = this.open.at(-1)
    if (keys === undefined || this.last === undefined) return
    const key = unescaped(this.last)
    if (key.includes("\\")) this.backslashed++
    if (keys.has(key)) this.told({ key, level: this.open.length, at: this.end, element: this.element })
    keys.add(key)
    this.last = undefined
  }
}

/** What the text of a JSON value was found to be. */
export interface Surveyed {
  /** How deep brackets are nested. */
  readonly depth: number
  /** The first key that its object has already. */
  readonly repeated: Repeated | undefined
  /** How many keys have a backslash. */
  readonly backslashed: number
}

/** A text as a whole. */
export const survey = (text: string): Surveyed => {
  let repeated: Repeated | undefined
  const own = new Survey((found) => repeated ??= found)
  own.feed(text)
  return { depth: own.depth, repeated, backslashed: own.backslashed }
}

/** Stands before a key that is spelled with an escape, while its text is parsed. */
const MARK = "\ue000"
const strings = /"([^"\\]*(?:\\[^][^"\\]*)*)"(\s*:)?/g

const unmarked = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(unmarked)
  const entries = Object.entries(value)
  const own = entries.map(([key, member]) => [key.startsWith(MARK) ? key.slice(1) : key, unmarked(member)] as const)
  return Object.fromEntries(own)
}

/** How many keys of a value have a backslash. */
const backslashed = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  if (Array.isArray(value)) return value.reduce<number>((count, member) => count + backslashed(member), 0)
  let count = 0
  for (const key in value) {
    if (key.includes("\\")) count++
    count += backslashed((value as Readonly<Record<string, unknown>>)[key])
  }
  return count
}

/**
 * What a JSON text says, of which the survey is known. V8 takes a key with an escape for a backslash, or what ends in one,
 * where objects before had that in its place: `{"\""` for `{"\\"`. A text in which that happened is parsed again, such keys
 * under other names.
 */
export const parse = (text: string, { backslashed: wanted }: Surveyed): unknown => {
  const value: unknown = JSON.parse(text)
  if (!text.includes("\\") || backslashed(value) === wanted) return value
  const marked = text.replaceAll(
    strings,
    (whole, key: string, colon: string | undefined) =>
      colon !== undefined && (key.includes("\\") || key.startsWith(MARK)) ? `"${MARK}${key}"${colon}` : whole
  )
  return unmarked(JSON.parse(marked))
}

/** How many colons are behind a quote: as many as there are keys, and those in strings that look the same. */
const keysIn = (text: string): number => {
  let count = 0
  for (let colon = text.indexOf(":"); colon >= 0; colon = text.indexOf(":", colon + 1)) {
    let i = colon - 1
    while (i >= 0 && text.charCodeAt(i) <= 0x20) i--
    if (text.charCodeAt(i) === QUOTE) count++
  }
  return count
}

/** Levels that are counted by recursion. */
const DEEP = 100

/** How many keys the objects of a JSON value have; fewer than none where it is too deep to be counted. */
const keysOf = (value: object, level = 0): number => {
  if (level > DEEP) return -Infinity
  let count = 0
  if (Array.isArray(value)) {
    for (const own of value) if (typeof own === "object" && own !== null) count += keysOf(own, level + 1)
    return count
  }
  for (const key in value) {
    count++
    const own = (value as Readonly<Record<string, unknown>>)[key]
    if (typeof own === "object" && own !== null) count += keysOf(own, level + 1)
  }
  return count
}

/**
 * The first key that its object has already in the text of this value. Where the value has as many keys as the text there is
 * none, and the text is not looked at.
 */
export const repeatedIn = (text: string, value: unknown): Repeated | undefined =>
  typeof value === "object" && value !== null && keysIn(text) > keysOf(value) ? survey(text).repeated : undefined
