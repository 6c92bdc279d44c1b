/** The options of a question, and which of them its record marks as correct. */
import { type Fields, isExact, RecordError, show } from "./fields.ts"

/** An option: its key in the record, its text, and whether the record gives it as a number. */
export interface Option {
  readonly key: string
  readonly text: string
  readonly number: boolean
}

/**
 * A statement of the correct answer in a record: an `answer` is an option's text, key or index; a `key` is a key or
 * index only. Indices count from 0. A list names several correct answers.
 */
export interface Given {
  readonly field: string
  readonly as: "answer" | "key"
  readonly value: unknown
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const option = (field: string, key: unknown, value: unknown): Option => {
  if (typeof key !== "string" && !isExact(key)) {
    throw new RecordError(field, `expected a text or a number to name an option by, got ${show(key)}`)
  }
  const number = isExact(value)
  if (!number && (typeof value !== "string" || value.trim() === "")) {
    throw new RecordError(`${field}.${key}`, `expected a text or a number below 2^53, got ${show(value)}`)
  }
  return { key: String(key), text: String(value), number }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const firstOf = (fields: Fields, names: ReadonlyArray<string>): unknown =>
  names.map((name) => fields[name]).find((value) => value !== undefined && value !== null)

/** An element of a list of options, plain or as an object with a key of its own. */
const element = (field: string, value: unknown, i: number): Option =>
  isObject(value)
    ? option(
      field,
      firstOf(value, ["key", "label", "aid"]) ?? letters[i] ?? i,
      firstOf(value, ["value", "text", "atext"])
    )
    : option(field, letters[i] ?? String(i), value)

/** The entries of an options field: a list, an object keyed by letter, or an object with `text` and `label` lists. */
const entries = (field: string, value: unknown): ReadonlyArray<Option> => {
  if (isObject(value) && Array.isArray(value["text"])) {
    const labels = Array.isArray(value["label"]) ? value["label"] as ReadonlyArray<unknown> : letters
    return value["text"].map((text, i) => option(field, labels[i], text))
  }
  if (isObject(value)) {
    return Object.entries(value).flatMap(([key, text]) => text === null ? [] : [option(field, key, text)])
  }
  if (!Array.isArray(value)) {
    throw new RecordError(field, `expected a list of options or an object of them, got ${show(value)}`)
  }
  const last = value.findLastIndex((text) => text !== null)
  return value.slice(0, last + 1).map((text, i) => element(field, text, i))
}

/** The options of a field, in order; none if the field is absent. Null options are dropped. */
export const optionsOf = (field: string, value: unknown): ReadonlyArray<Option> => {
  if (value === undefined) return []
  const found = entries(field, value)
  if (found.length > letters.length) {
    throw new RecordError(field, `has ${found.length} options; there are letters for ${letters.length}`)
  }
  const twice = found.find(({ key }, i) => found.findIndex((other) => other.key === key) < i)
  if (twice) throw new RecordError(field, `"${twice.key}" names two options`)
  return found
}

const folded = (text: string): string => text.trim().toLowerCase().replaceAll(/\s+/g, " ")

/** The options with the same text; differences in case and spaces count. */
const alike = (options: ReadonlyArray<Option>, text: string, form: (text: string) => string): ReadonlyArray<number> =>
  options.flatMap((own, i) => form(own.text) === form(text) ? [i] : [])

const trimmed = (text: string): string => text.trim()

/** Ways to match a value to options: by text, by key, by index. */
const ways = (options: ReadonlyArray<Option>, as: Given["as"], form: (text: string) => string) => {
  const numeric = options.some(({ number }) => number)
  const byText = (value: unknown) =>
    typeof value === "string" || (numeric && typeof value === "number") ? alike(options, String(value), form) : []
  const byKey = (value: unknown) => {
    if (typeof value !== "string" && typeof value !== "number") return []
    const found = options.flatMap(({ key }, i) => form(key) === form(String(value)) ? [i] : [])
    return found.length === 1 ? found : []
  }
  const byPlace = (value: unknown) =>
    typeof value === "number" && options[value] && options.every(({ key }) => !/^\d+$/.test(key)) ? [value] : []
  return as === "answer" ? [byKey, byPlace, byText] : [byKey, byPlace]
}

/** Indices of correct options, including those with the same text; the named one comes first. */
type Reading = ReadonlySet<number>

const same = (a: Reading, b: Reading): boolean => a.size === b.size && [...a].every((place) => b.has(place))

/** Distinct readings of a value in which all of it names options; exact spelling is preferred. */
const readings = (options: ReadonlyArray<Option>, { as, value }: Given): ReadonlyArray<Reading> => {
  const values: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  const by = (form: (text: string) => string) =>
    ways(options, as, form).flatMap((way) => {
      const found = values.map(way)
      if (found.some((places) => places.length === 0)) return []
      const named = found.flat()
      return [new Set([...named, ...named.flatMap((place) => alike(options, options[place]!.text, trimmed))])]
    }).filter((reading, i, all) => all.findIndex((other) => same(other, reading)) === i)
  const exact = by(trimmed)
  return exact.length > 0 ? exact : by(folded)
}

const shown = (options: ReadonlyArray<Option>, reading: Reading): string =>
  [...reading].map((place) => `${options[place]!.key} ("${options[place]!.text}")`).join(" and ")

const said = ({ field, value }: Given): string => `${field} ${show(value)}`

/**
 * Indices of the correct options, the named one first, on which all statements agree. Fails if a statement names no
 * option, if statements disagree, or if an ambiguity is not resolved by another statement.
 */
export const rightPlaces = (
  options: ReadonlyArray<Option>,
  given: ReadonlyArray<Given>
): ReadonlyArray<number> => {
  const ordered = given.toSorted((a, b) => a.as === b.as ? 0 : a.as === "key" ? -1 : 1)
  const read = ordered.map((one) => readings(options, one))
  const [first, ...rest] = read
  if (first === undefined) return []
  const lost = ordered[read.findIndex((ones) => ones.length === 0)]
  if (lost) {
    const keys = options.map(({ key }) => key).join(", ")
    throw new RecordError(
      lost.field,
      `${show(lost.value)} is none of the options (${keys}), nor what one says`
    )
  }
  const agreed = first.filter((reading) => rest.every((others) => others.some((other) => same(other, reading))))
  if (agreed.length === 1) return [...agreed[0]!]
  const fields = ordered.map(({ field }) => field).join(", ")
  throw new RecordError(
    agreed.length > 1 ? ordered[0]!.field : fields,
    agreed.length > 1
      ? `${said(ordered[0]!)} may mean ${
        agreed.map((one) => shown(options, one)).join(" or ")
      }; give answer_idx as well`
      : `disagree: ${
        ordered.map((one, i) => `${said(one)} is ${read[i]!.map((r) => shown(options, r)).join(" or ")}`).join(", ")
      }`
  )
}
