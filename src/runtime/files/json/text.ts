/** What parsing a JSON text discards: its nesting depth, and duplicate keys. */

/** A duplicate key of an object. */
export interface Repeated {
  readonly key: string
  /** Nesting level of its object; 1 is outermost. */
  readonly level: number
  /** Offset of its closing quote in the text. */
  readonly at: number
  /** The index of the element of the outermost array that contains it, from 1. */
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

/** Number of consecutive backslashes before `to`. */
const backslashes = (text: string, to: number): number => {
  let count = 0
  while (count < to && text.charCodeAt(to - count - 1) === BACKSLASH) count++
  return count
}

/** Scans a JSON text in chunks, once; it need not be well-formed. */
export class Survey {
  /** Maximum nesting depth. */
  depth = 0
  /** Number of keys that contain a backslash. */
  backslashed = 0
  private readonly told: (repeated: Repeated) => void
  /** Keys of the open objects, by level; `undefined` for an array. */
  private readonly open: Array<Set<string> | undefined> = []
  /** Characters before this chunk, and the current element of the outermost array. */
  private before = 0
  private element = 1
  /** The open string so far, whether one is open, and whether its next character is escaped. */
  private begun = ""
  private inside = false
  private escaped = false
  /** The last complete string, without quotes; a colon makes it a key. */
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

  /** The position after the closing quote of the open string, which continues at `from`. */
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

  /** Whether the character at `at` is escaped: an odd number of backslashes precede it. */
  private isEscaped(text: string, from: number, at: number): boolean {
    const count = Math.min(backslashes(text, at), at - from)
    return (count + (count === at - from && this.escaped ? 1 : 0)) % 2 === 1
  }

  private enter(code: number): void {
    this.depth = Math.max(this.depth, this.open.push(code === BRACE ? new Set() : undefined))
    this.last = undefined
  }

  /** Records the last string as a key. */
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

/** Result of scanning a JSON text. */
export interface Surveyed {
  /** Maximum nesting depth. */
  readonly depth: number
  /** The first duplicate key. */
  readonly repeated: Repeated | undefined
  /** Number of keys that contain a backslash. */
  readonly backslashed: number
}

/** Scans a whole text. */
export const survey = (text: string): Surveyed => {
  let repeated: Repeated | undefined
  const own = new Survey((found) => repeated ??= found)
  own.feed(text)
  return { depth: own.depth, repeated, backslashed: own.backslashed }
}

/** Temporary prefix for keys that are spelled with an escape. */
const MARK = "\ue000"
const strings = /"([^"\\]*(?:\\[^][^"\\]*)*)"(\s*:)?/g

const unmarked = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(unmarked)
  const entries = Object.entries(value)
  const own = entries.map(([key, member]) => [key.startsWith(MARK) ? key.slice(1) : key, unmarked(member)] as const)
  return Object.fromEntries(own)
}

/** Number of keys in a value that contain a backslash. */
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
 * Parses a surveyed JSON text, working around a V8 bug: a key spelled with an escape can be taken for an earlier key
 * that is or ends in a backslash (`{"\""` for `{"\\"`). If keys were lost so, the text is parsed again with such keys
 * prefixed.
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

/** Counts colons after a quote: at least the number of keys, as strings may contain such colons too. */
const keysIn = (text: string): number => {
  let count = 0
  for (let colon = text.indexOf(":"); colon >= 0; colon = text.indexOf(":", colon + 1)) {
    let i = colon - 1
    while (i >= 0 && text.charCodeAt(i) <= 0x20) i--
    if (text.charCodeAt(i) === QUOTE) count++
  }
  return count
}

/** Maximum recursion depth for counting keys. */
const DEEP = 100

/** Number of keys in a value's objects; -Infinity if it is nested too deeply. */
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
 * The first duplicate key in a value's text. If the value has as many keys as the text, there is none, and the text is
 * not scanned.
 */
export const repeatedIn = (text: string, value: unknown): Repeated | undefined =>
  typeof value === "object" && value !== null && keysIn(text) > keysOf(value) ? survey(text).repeated : undefined
