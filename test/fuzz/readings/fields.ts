/** Fields of JSON, read a second time: strictly, and without a word about why not. */
import { isFields } from "./json.ts"
import { bad, type Fields } from "./records.ts"

/** An object's own keys, of which others than these are bad. */
export const fieldsOf = (value: unknown, ...keys: ReadonlyArray<string>): Fields => {
  if (!isFields(value)) return bad("no object")
  for (const key of Object.keys(value)) if (!keys.includes(key)) bad(`the key ${key}`)
  return value
}

/** Never what a prototype has. */
export const get = (fields: Fields, key: string): unknown => Object.hasOwn(fields, key) ? fields[key] : undefined

export type Read<A> = (value: unknown) => A

export const text: Read<string> = (value) => typeof value === "string" && value.isWellFormed() ? value : bad("no text")
export const flag: Read<boolean> = (value) => typeof value === "boolean" ? value : bad("no flag")
export const list: Read<ReadonlyArray<unknown>> = (value) => Array.isArray(value) ? value : bad("no list")
export const natural: Read<number> = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31 ? value as number : bad("no number")
export const character: Read<string> = (value) => [...text(value)].length === 1 ? value as string : bad("no character")

export const oneOf = <A extends string>(...choices: ReadonlyArray<A>): Read<A> => (value) =>
  choices.includes(value as A) ? value as A : bad("none of the choices")

/** null says nothing. */
export const or = <A>(read: Read<A>, otherwise: A): Read<A> => (value) =>
  (value ?? null) === null ? otherwise : read(value)

/** null says something here. */
export const unlessAbsent = <A>(read: Read<A>, otherwise: A): Read<A> => (value) =>
  value === undefined ? otherwise : read(value)

/** A component by the name of its type. */
export const byType = <A>(kinds: Readonly<Record<string, (fields: Fields) => A>>): Read<A> => (value) => {
  if (!isFields(value)) return bad("no object")
  const type = text(get(value, "type"))
  return Object.hasOwn(kinds, type) ? kinds[type]!(value) : bad(`the type ${type}`)
}
