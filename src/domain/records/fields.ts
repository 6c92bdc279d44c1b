/** Fields of users' records: which are present, their types, and which are unused. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { issuesOf } from "../issues.ts"

/** The non-empty fields of a record. */
export type Fields = Readonly<Record<string, unknown>>

/** An invalid record; `field` is the path of the faulty field, empty for the record itself. */
export class RecordError extends Error {
  override readonly name = "RecordError"
  readonly field: string
  constructor(field: string, reason: string) {
    super(reason)
    this.field = field
  }
}

/** Receives notes about the parts of a record that are not read. */
export interface Notes {
  /** A field that is not used. */
  readonly unused: (field: string) => void
  /** An assumption made about a record, as the end of a sentence about several of them. */
  readonly remark: (what: string) => void
}

/** Discards all notes. */
export const silent: Notes = { unused: () => undefined, remark: () => undefined }

/** An id as text; numbers beyond 2^53 are refused because JSON has already rounded them. */
export const Id = Schema.Union([Schema.NonEmptyString, Schema.Int])
/** Whether a number is exactly as the file spells it: JSON rounds integers beyond 2^53 and has no infinities. */
export const isExact = (value: unknown): value is number =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
/** A text, or a number that stands for its digits. */
export const Value = Schema.Union([Schema.String, Schema.Finite.check(Schema.makeFilter(isExact))])
/** A field that a record may lack. */
export const optional: typeof Schema.optionalKey = Schema.optionalKey

/** null, blank texts, empty lists and empty objects count as missing fields. */
const isBlank = (value: unknown): boolean => {
  if (typeof value === "string") return value === "" || value.trim() === ""
  if (typeof value !== "object") return value === undefined
  return value === null || (Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0)
}

/** The beginning of a value's JSON. */
export const show = (value: unknown): string => {
  try {
    const text = JSON.stringify(value) ?? "nothing"
    return text.length > 40 ? `${text.slice(0, 40)}...` : text
  } catch {
    return "a value of great depth"
  }
}

/** The non-empty fields of a JSON object; fails for other values. */
export const present = (line: unknown): Fields => {
  if (typeof line !== "object" || line === null || Array.isArray(line)) {
    throw new RecordError("", `expected an object of fields, got ${show(line)}`)
  }
  const fields = line as Fields
  for (const name in fields) {
    if (isBlank(fields[name])) return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isBlank(value)))
  }
  return fields
}

const at = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key], value)

/** Decodes fields, or throws a `RecordError` that names the first invalid one. */
export const decoder = <A>(schema: Schema.Codec<A, any>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (fields: Fields): A => {
    const decoded = decode(fields)
    if (Result.isSuccess(decoded)) return decoded.success
    const [issue] = issuesOf(decoded.failure)
    const { path, reason } = issue!
    const found = at(fields, path)
    throw new RecordError(
      path.map(String).join("."),
      found === undefined ? "is missing" : `${reason}, got ${show(found)}`
    )
  }
}

const decodeIds = decoder(Schema.Struct({ ids: Schema.Array(Id) }))

/** The distinct ids of a field that has one id or a list of them. */
export const idsOf = (fields: Fields, name: string): ReadonlyArray<string> => {
  const value = fields[name]
  if (value === undefined) return []
  const ids = (Array.isArray(value) ? value : [value]).filter((id) => !isBlank(id))
  try {
    return [...new Set(decodeIds({ ids }).ids.map(String))]
  } catch (error) {
    throw new RecordError(name, `${(error as RecordError).message} (an id, or a list of ids)`)
  }
}

/** Well-formed Unicode: JSON allows lone surrogates, which neither files nor tokenizers can represent. */
export const wellFormed = (text: string, notes: Notes): string => {
  if (text.isWellFormed()) return text
  notes.remark("have half of a character (a lone surrogate), which is read as U+FFFD")
  return text.toWellFormed()
}

/** Reports unknown fields. */
export const tellUnused = (fields: Fields, known: (name: string) => boolean, notes: Notes): void => {
  for (const name in fields) if (!known(name)) notes.unused(name)
}
