/** Python's literals, in which templates of tasks spell lists: written as `repr` does, and read as `ast.literal_eval`. */

/** A value of a literal. */
export type Literal = string | number | boolean | null | ReadonlyArray<Literal>

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" }
// oxlint-disable-next-line no-control-regex -- characters that are escaped
const special = /[\\\x00-\x1f\x7f-\xa0\xad]/g

/** A text as Python's `repr` writes it; characters beyond Latin-1 are taken to be printable. */
export const quoted = (text: string): string => {
  const quote = text.includes("'") && !text.includes("\"") ? "\"" : "'"
  const inner = text.replace(special, (c) => escapes[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)
  return quote + (quote === "'" ? inner.replaceAll("'", "\\'") : inner) + quote
}

const named: ReadonlyMap<string, Literal> = new Map<string, Literal>([["True", true], ["False", false], ["None", null]])
const letters: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  "\n": "",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  0: "\0"
}

const unescaped = (inner: string): string =>
  inner.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]))/g, (own, x, u, U, letter) => {
    const hex = (x ?? u ?? U) as string | undefined
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return letters[letter as string] ?? (/[\\'"]/.test(letter as string) ? letter as string : own)
  })

const token =
  /\s*(?:('(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*")|([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)|(True|False|None)|([[\](),]))/y

/** The literal that a text is: a list (or tuple), a string, a number, True, False or None; `undefined` if it is none. */
export const literalOf = (text: string): Literal | undefined => {
  const tokens: Array<RegExpExecArray> = []
  token.lastIndex = 0
  const whole = text.trimEnd()
  while (token.lastIndex < whole.length) {
    const found = token.exec(whole)
    if (found === null) return undefined
    tokens.push(found)
  }
  let at = 0
  const value = (): Literal | undefined => {
    const [, string, number, name, mark] = tokens[at++] ?? []
    if (string !== undefined) return unescaped(string.slice(1, -1))
    if (number !== undefined) return Number(number)
    if (name !== undefined) return named.get(name)
    if (mark !== "[" && mark !== "(") return undefined
    const [close, list] = [mark === "[" ? "]" : ")", new Array<Literal>()]
    while (tokens[at]?.[4] !== close) {
      const own = value()
      if (own === undefined) return undefined
      list.push(own)
      if (tokens[at]?.[4] === ",") at++
      else if (tokens[at]?.[4] !== close) return undefined
    }
    at++
    return list
  }
  const found = value()
  return at === tokens.length ? found : undefined
}
