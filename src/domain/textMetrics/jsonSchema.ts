/** A subset of JSON Schema, for answers that are to be JSON: types, properties, items, enumerations, bounds. */
import { brief } from "../brief.ts"

type Schema = Readonly<Record<string, unknown>>
type Check = (given: unknown, value: unknown) => boolean

const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  array: Array.isArray,
  boolean: (value) => typeof value === "boolean",
  integer: Number.isInteger,
  null: (value) => value === null,
  number: (value) => typeof value === "number",
  object: isObject,
  string: (value) => typeof value === "string"
}

const sized = (holds: (size: number, bound: number) => boolean): Check => (bound, value) =>
  !(Array.isArray(value) || typeof value === "string") || holds(value.length, bound as number)
const bounded = (holds: (value: number, bound: number) => boolean): Check => (bound, value) =>
  typeof value !== "number" || holds(value, bound as number)

/** By keyword; a value of another type than a keyword is about is not its concern. */
const checks: Readonly<Record<string, Check>> = {
  type: (given, value) => [given].flat().some((name) => types[String(name)]!(value)),
  enum: (given, value) => (given as ReadonlyArray<unknown>).some((own) => same(own, value)),
  const: same,
  required: (given, value) =>
    !isObject(value) || (given as ReadonlyArray<string>).every((name) => Object.hasOwn(value, name)),
  properties: (given, value) =>
    !isObject(value) ||
    Object.entries(given as Schema).every(([name, own]) =>
      !Object.hasOwn(value, name) || conforms(own as Schema, value[name])
    ),
  items: (given, value) => !Array.isArray(value) || value.every((own) => conforms(given as Schema, own)),
  anyOf: (given, value) => (given as ReadonlyArray<Schema>).some((own) => conforms(own, value)),
  minItems: sized((size, bound) => size >= bound),
  maxItems: sized((size, bound) => size <= bound),
  minLength: sized((size, bound) => size >= bound),
  maxLength: sized((size, bound) => size <= bound),
  minimum: bounded((value, bound) => value >= bound),
  maximum: bounded((value, bound) => value <= bound)
}
/** Keywords that say nothing of values. */
const words: ReadonlySet<string> = new Set([
  "$schema",
  "title",
  "description",
  "default",
  "examples",
  "additionalProperties"
])

/** Whether a value is of a schema that `problemOf` has no objection to. */
export const conforms = (schema: Schema, value: unknown): boolean => {
  const known = Object.entries(schema).every(([key, given]) => words.has(key) || checks[key]!(given, value))
  if (!known || schema["additionalProperties"] !== false || !isObject(value)) return known
  const own = schema["properties"] as Schema | undefined ?? {}
  return Object.keys(value).every((name) => Object.hasOwn(own, name))
}

/** Why a schema cannot be checked here; `undefined` if it can. */
export const problemOf = (schema: unknown): string | undefined => {
  if (!isObject(schema)) return `${brief(schema)} is no schema`
  const foreign = Object.keys(schema).find((key) => !words.has(key) && !Object.hasOwn(checks, key))
  if (foreign !== undefined) return `the keyword ${brief(foreign)} is not known here`
  const { additionalProperties: more, anyOf, items, properties, type } = schema
  if (type !== undefined && ![type].flat().every((name) => Object.hasOwn(types, String(name)))) {
    return `no type ${brief(type)}`
  }
  if (more !== undefined && typeof more !== "boolean") return "additionalProperties has to be true or false"
  const inner = [
    ...(isObject(properties) ? Object.values(properties) : []),
    ...(items === undefined ? [] : [items]),
    ...(Array.isArray(anyOf) ? anyOf as ReadonlyArray<unknown> : [])
  ]
  return inner.map(problemOf).find((problem) => problem !== undefined)
}
