/** The options of a question, and which of them its record says are right. */
import { type Fields, isExact, RecordError, show } from "./fields.ts"

/** An option: what names it in the record, what it says, and whether the record has it as a number. */
export interface Option {
  readonly key: string
  readonly text: string
  readonly number: boolean
}

/**
 * Something a record says of its right answer: an `answer` is a text, a key or a place, whichever of the options it is;
 * a `key` is a key or a place alone. Places count from 0. A list names several right answers.
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

/** The entries of a field of options: a list, an object by letters, or the `text` and `label` lists of an object. */
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

/** The options that a field has, in its order; none where it is absent. An option that is null is no option. */
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

/** The options whose text is the same; one that differs in case and spaces alone is another. */
const alike = (options: ReadonlyArray<Option>, text: string, form: (text: string) => string): ReadonlyArray<number> =>
  options.flatMap((own, i) => form(own.text) === form(text) ? [i] : [])

const trimmed = (text: string): string => text.trim()

/** The ways to find options by a value: by what they say, by their key, by their place. */
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

/** Places of right options, those of the same text included; the one that was named comes first. */
type Reading = ReadonlySet<number>

const same = (a: Reading, b: Reading): boolean => a.size === b.size && [...a].every((place) => b.has(place))

/** Each way to read what is given by which all of it names options, without repetition; in its own spelling, if it can. */
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
 * Places of the right options, the named one first: what everything that is given agrees on. Fails where it names no
 * option, where it disagrees, and where it may be read in two ways that nothing else decides between.
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
