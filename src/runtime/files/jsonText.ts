/** What the text of a JSON value tells that the value itself does not: how deep it is, and which keys are given twice. */

/** A key that an object gives twice, and how deep; 1 is the outermost level. */
export interface Repeated {
  readonly key: string
  readonly level: number
}

/** What was found in the text. */
export interface Survey {
  /** How deep brackets are nested. */
  readonly depth: number
  /** The first key that its object has already. */
  readonly repeated: Repeated | undefined
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a]

/** The quote that ends a string, from the character after the one that begins it. */
const endOf = (text: string, from: number): number => {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === BACKSLASH) i++
    else if (code === QUOTE) return i
  }
  return text.length
}

/** Whether the next character that is no white space is a colon. */
const isKey = (text: string, from: number): boolean => {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x20) return code === COLON
  }
  return false
}

const unescaped = (key: string): string => {
  if (!key.includes("\\")) return key
  try {
    return JSON.parse(`"${key}"`) as string
  } catch {
    return key
  }
}

/** Looks at a text once; it need not be well-formed. */
export const survey = (text: string): Survey => {
  /** Keys of the objects that are open, by level. */
  const open: Array<Set<string>> = []
  let [depth, repeated] = [0, undefined as Repeated | undefined]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      const end = endOf(text, i + 1)
      const keys = open.at(-1)
      if (keys !== undefined && isKey(text, end + 1)) {
        const key = unescaped(text.slice(i + 1, end))
        if (keys.has(key)) repeated ??= { key, level: open.length }
        keys.add(key)
      }
      i = end
    } else if (code === 0x7b || code === 0x5b) depth = Math.max(depth, open.push(new Set()))
    else if (code === 0x7d || code === 0x5d) open.pop()
  }
  return { depth, repeated }
}
