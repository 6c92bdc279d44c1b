/** Fields of published questions about pictures. */
import { type Fields, RecordError, show } from "../../domain/records/fields.ts"

/** A field's text without white space at its ends; numbers as their digits. @throws RecordError if it is neither */
export const textOf = (fields: Fields, ...names: ReadonlyArray<string>): string => {
  const name = names.find((one) => fields[one] !== undefined && fields[one] !== null)
  if (name === undefined) return ""
  const value = fields[name]
  if (typeof value === "string" || typeof value === "number") return String(value).trim()
  throw new RecordError(name, `is to be a text or a number, got ${show(value)}`)
}

/** A text that a record has to have. @throws RecordError */
export const neededOf = (fields: Fields, ...names: ReadonlyArray<string>): string => {
  const text = textOf(fields, ...names)
  if (text === "") throw new RecordError(names[0]!, `is missing: the record has ${Object.keys(fields).join(", ")}`)
  return text
}

/** Whether `answer_type` is CLOSED; `undefined` if it is neither that nor OPEN. */
export const closedOf = (fields: Fields): boolean | undefined => {
  const type = textOf(fields, "answer_type").toUpperCase()
  return type === "CLOSED" ? true : type === "OPEN" ? false : undefined
}
