/**
 * Translates Python's regular expressions, which PEFT matches module names by, to JavaScript where they are
 * equivalent.
 */

/** A pattern that Python cannot read, or that has no equivalent in JavaScript. */
export class PatternError extends Error {
  override readonly name = "PatternError"
}

interface Scanned {
  /** Its translation. */
  readonly text: string
  /** The position after it. */
  readonly next: number
}

const refuse = (what: string): never => {
  throw new PatternError(what)
}

/** Escapes that mean the same in both; Python too refuses those of other letters. */
const same = /^[0-9dDsSwWbBfnrtv]$|^[^A-Za-z0-9]$/u
const anchors: ReadonlyMap<string, string> = new Map([["A", "(?<![^])"], ["Z", "(?![^])"], ["a", "\\x07"]])

const escape = (pattern: string, at: number, inClass: boolean): Scanned => {
  const hex = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(pattern.slice(at, at + 6))?.[0]
  if (hex !== undefined) return { text: hex, next: at + hex.length }
  const letter = pattern[at + 1] ?? refuse("a backslash at its end")
  const other = inClass && letter !== "a" ? undefined : anchors.get(letter)
  if (other === undefined && !same.test(letter)) refuse(`the escape \\${letter}`)
  return { text: other ?? `\\${letter}`, next: at + 2 }
}

/** `[...]`: a closing bracket in first place is a member of the class. */
const characterClass = (pattern: string, at: number): Scanned => {
  let text = pattern[at + 1] === "^" ? "[^" : "["
  let next = at + text.length
  for (let first = true; first || pattern[next] !== "]"; first = false) {
    const char = pattern[next] ?? refuse("a bracket [ that is not closed")
    const one = char === "\\"
      ? escape(pattern, next, true)
      : { text: /[[\]]/.test(char) ? `\\${char}` : char, next: next + 1 }
    text += one.text
    next = one.next
  }
  return { text: `${text}]`, next: next + 1 }
}

/** Constructs after `(?` that differ between the two. */
const groups: ReadonlyArray<readonly [start: RegExp, becomes: (match: RegExpExecArray) => string]> = [
  [/^\(\?P<(\w+)>/, ([, name]) => `(?<${name}>`],
  [/^\(\?P=(\w+)\)/, ([, name]) => `\\k<${name}>`],
  [/^\(\?#[^)]*\)/, () => ""],
  [/^\(\?(?::|=|!|<=|<!)/, ([own]) => own],
  [/^\(\?([ims]*(?:-[ims]+)?):/, ([own]) => own]
]

const group = (pattern: string, at: number): Scanned => {
  if (pattern[at + 1] !== "?") return { text: "(", next: at + 1 }
  const rest = pattern.slice(at, at + 1000)
  for (const [start, becomes] of groups) {
    const match = start.exec(rest)
    if (match) return { text: becomes(match), next: at + match[0].length }
  }
  return refuse(`the group ${rest.slice(0, 4)}`)
}

/** A brace is a quantifier or a literal. */
const brace = (pattern: string, at: number): Scanned => {
  const [times, least, most] = /^\{(\d*)(,?\d*)\}/.exec(pattern.slice(at, at + 50)) ?? []
  if (times === undefined || times === "{}" || times === "{,}") return { text: "\\{", next: at + 1 }
  return { text: `{${least || "0"}${most}}`, next: at + times.length }
}

const scan = (pattern: string, at: number): Scanned => {
  const char = pattern[at]!
  if (char === "\\") return escape(pattern, at, false)
  if (char === "[") return characterClass(pattern, at)
  if (char === "(") return group(pattern, at)
  if (char === "{") return brace(pattern, at)
  return { text: char === "}" || char === "]" ? `\\${char}` : char, next: at + 1 }
}

/** Flags at the start of the pattern; those about character classes do not matter for module names. */
const flagsOf = (pattern: string): readonly [flags: string, length: number] => {
  const [own = "", flags = ""] = /^\(\?([a-zA-Z]+)\)/.exec(pattern) ?? []
  const foreign = /[^aimsu]/.exec(flags)?.[0]
  if (foreign !== undefined) refuse(`the flag (?${foreign})`)
  return [[...new Set(flags)].filter((flag) => "ims".includes(flag)).join(""), own.length]
}

const translate = (
  pattern: string,
  scanned: (flags: string) => typeof scan = () => scan
): readonly [body: string, flags: string] => {
  const [flags, start] = flagsOf(pattern)
  const own = scanned(flags)
  let body = ""
  let repeated = false
  for (let at = start; at < pattern.length;) {
    if (repeated && pattern[at] === "+") refuse("a possessive repetition")
    const { next, text } = own(pattern, at)
    const isTimes = /^(?:[*+?]|\{\d.*\})$/.test(text) && pattern[at] !== "\\"
    /** A further "?" after a quantifier makes it lazy. */
    repeated = isTimes && !(repeated && text === "?")
    body += text
    at = next
  }
  return [body, flags]
}

/**
 * A pattern that must match a whole text, as Python's `re.fullmatch`, optionally after `prefix`. Throws `PatternError`
 * if it is invalid or has no equivalent in JavaScript.
 */
export const fullMatch = (pattern: string, prefix = ""): RegExp => {
  const [body, flags] = translate(pattern)
  return compiled(pattern, `(?<![^])${prefix}(?:${body})(?![^])`, flags)
}

const compiled = (pattern: string, body: string, flags: string): RegExp => {
  try {
    return new RegExp(body, flags)
  } catch (cause) {
    const reason = String((cause as Error).message).split(": ").at(-1)!
    const remedy = pattern.startsWith("*") ? "; the shell's * is .* here" : ""
    throw new PatternError(`${reason.charAt(0).toLowerCase()}${reason.slice(1)}${remedy}`)
  }
}

/** Letters and digits of all scripts, as Python's classes have them. */
const [word, edge] = ["\\p{L}\\p{N}_", (inner: string, outer: string) => `(?<=${inner})(?${outer})`]
const classes: ReadonlyMap<string, string> = new Map([
  ["d", "\\p{Nd}"],
  ["D", "\\P{Nd}"],
  ["w", `[${word}]`],
  ["W", `[^${word}]`],
  ["b", `(?:${edge(`[${word}]`, `![${word}]`)}|(?<![${word}])(?=[${word}]))`],
  ["B", `(?:${edge(`[${word}]`, `=[${word}]`)}|(?<![${word}])(?![${word}]))`]
])

/** An escape as it is under the flag u, where only characters that mean something may be escaped. */
const wideEscape = (text: string, inClass: boolean): string => {
  const letter = text[1]!
  if (text.length !== 2 || text[0] !== "\\") return text
  if (inClass && letter === "w") return word
  if (inClass && letter === "W") return refuse("\\W within brackets")
  const known = inClass && letter === "b" ? "\\x08" : classes.get(letter)
  if (known !== undefined) return known
  return /[\w^$\\.*+?()[\]{}|/]/.test(letter) || (inClass && letter === "-") ? text : letter
}

/** The members of a class, its escapes as they are under the flag u. */
const wideClass = (text: string): string =>
  text.replace(/\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^])/g, (own) => wideEscape(own, true))

/** Dots and anchors mean lines of Python, which end with a line feed alone. */
const anchored = (flags: string): Readonly<Record<string, string>> => ({
  ".": flags.includes("s") ? "[^]" : "[^\\n]",
  "^": flags.includes("m") ? "(?<![^\\n])" : "(?<![^])",
  $: flags.includes("m") ? "(?![^\\n])" : "(?=\\n?(?![^]))"
})

const wide = (flags: string): typeof scan => {
  const anchors = anchored(flags)
  return (pattern, at) => {
    const { next, text } = scan(pattern, at)
    const char = pattern[at]!
    if (/^\(\?[is]*[ms]/.test(text) || /^\(\?[i]*-[i]*[ms]/.test(text)) refuse(`the group ${text}`)
    if (char === "\\") return { text: wideEscape(text, false), next }
    return { text: char === "[" ? wideClass(text) : anchors[char] ?? text, next }
  }
}

/**
 * A pattern to look for in texts of any script, as Python's `re.findall` and `re.sub` do. Throws `PatternError` if it is
 * invalid or has no equivalent in JavaScript.
 */
export const search = (pattern: string): RegExp => {
  const [body, flags] = translate(pattern, wide)
  return compiled(pattern, body, `gu${flags.replace(/[ms]/g, "")}`)
}

/** Python's `re.findall`: of each match the whole, its one group, or its groups; groups that match nothing are empty. */
export const findAll = (regex: RegExp, text: string): ReadonlyArray<string | ReadonlyArray<string>> =>
  [...text.matchAll(regex)].map(([whole, ...groups]) => {
    const own = groups.map((group: string | undefined) => group ?? "")
    return own.length === 0 ? whole : own.length === 1 ? own[0]! : own
  })

/** Why a text is not a valid pattern; `undefined` if it is one. */
export const problemOf = (pattern: string): string | undefined => {
  try {
    fullMatch(pattern)
    return undefined
  } catch (cause) {
    return (cause as Error).message
  }
}
