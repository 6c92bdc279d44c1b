/** User input as quoted in messages: short and on one line, whatever its size, nesting or characters. */

/** The text cut to at most `most` characters; "…" marks the omission. */
export const cut = (text: string, most = 80): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`

/** Characters that JSON does not escape but terminals may obey: C1 controls, line separators, text direction. */
const unseen = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
const escaped = (text: string): string =>
  JSON.stringify(text).replace(unseen, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)

const plain = (text: string, most: number): string => cut(text, most).replace(/\s+/g, " ")

type Entry = readonly [key: string, value: unknown]

/** The first `most` entries of a list or an object; list entries have an empty key. */
const entriesOf = (value: object, most: number): ReadonlyArray<Entry> =>
  Array.isArray(value)
    ? value.slice(0, most).map((item): Entry => ["", item])
    : Object.keys(value).slice(0, most).map((key): Entry => [`${escaped(cut(key, most))}: `, Reflect.get(value, key)])

/** JSON of a value, reading no more of the value than `most` characters need. */
const written = (value: unknown, most: number): string => {
  if (most <= 0) return "…"
  if (typeof value === "string") return escaped(cut(value, most))
  if (typeof value !== "object" || value === null) return plain(String(value), most)
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"]
  const parts: Array<string> = []
  let left = most
  for (const [key, item] of entriesOf(value, most)) {
    if (left <= 0) break
    const part = `${key}${written(item, left - 1)}`
    left -= part.length + 2
    parts.push(part)
  }
  return `${open}${parts.join(", ")}${close}`
}

/** A value as a message quotes it: JSON of at most `most` characters. */
export const brief = (value: unknown, most = 80): string => cut(written(value, most), most)

/** The first problems, and how many more there are. */
export const several = (problems: ReadonlyArray<string>, most = 10): ReadonlyArray<string> =>
  problems.length <= most ? problems : [...problems.slice(0, most - 1), `and ${problems.length - most + 1} more`]
