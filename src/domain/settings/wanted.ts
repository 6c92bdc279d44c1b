/** The values a setting accepts, in words, and suggestions for invalid ones. */
import * as Schema from "effect/Schema"
import { didYouMean } from "../nearest.ts"

/** A JSON schema, as far as the types of settings need one. */
export interface JsonType {
  readonly type?: string
  readonly enum?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<JsonType>
  readonly additionalProperties?: JsonType
  readonly items?: JsonType
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
}

const bounds = ({ exclusiveMaximum, exclusiveMinimum, maximum, minimum }: JsonType): string => {
  const known = (bound: number | undefined) => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
  const low = known(minimum) ? `of at least ${minimum}` : known(exclusiveMinimum) ? `above ${exclusiveMinimum}` : ""
  const high = known(maximum) ? `at most ${maximum}` : known(exclusiveMaximum) ? `below ${exclusiveMaximum}` : ""
  const both = [low, high].filter((bound) => bound !== "").join(" and ")
  return both === "" ? "" : ` ${both}`
}

const kinds: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ["a string", "strings"],
  number: ["a number", "numbers"],
  integer: ["a whole number", "whole numbers"],
  boolean: ["true or false", "truth values"],
  null: ["null", "nulls"]
}
const nonEmpty = ["a non-empty string", "non-empty strings"] as const

/** "a whole number of at least 1", or in the plural. */
const inWords = (type: JsonType, many: boolean): string => {
  if (type.enum) {
    const names = type.enum.map((name) => JSON.stringify(name))
    return names.length > 2 ? `one of ${names.join(", ")}` : names.join(" or ")
  }
  if (type.anyOf) return type.anyOf.map((one) => inWords(one, many)).join(" or ")
  if (type.type === "object") return `an object of ${inWords(type.additionalProperties ?? {}, true)}`
  if (type.type === "array") return `a list of ${inWords(type.items ?? {}, true)}`
  const words = type.minLength ? nonEmpty : kinds[type.type ?? ""] ?? ["something else", "something else"]
  return `${words[many ? 1 : 0]}${bounds(type)}`
}

const typeOf = (schema: Schema.Top): JsonType => Schema.toJsonSchemaDocument(schema).schema as JsonType

/** Booleans as spelled in other languages and in YAML 1.1. */
const truths: ReadonlySet<string> = new Set(["yes", "no", "on", "off", "y", "n"])
const number = /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** A suggestion for a value of the wrong type. */
const remedy = (type: JsonType, given: unknown): string => {
  if (typeof given !== "string") return ""
  const near = type.enum && didYouMean(given.toLowerCase(), type.enum)
  if (near !== undefined) return `, did you mean "${near}"?`
  const kinds = new Set([type, ...type.anyOf ?? []].map((one) => one.type))
  if (kinds.has("boolean") && truths.has(given.toLowerCase())) return "; write true or false"
  if (!kinds.has("number") && !kinds.has("integer")) return ""
  if (/none|null/i.test(given) && kinds.has("null")) return "; write null"
  return number.test(given.trim()) ? `; write the number without quotes or underscores` : ""
}

/** The values that the schema accepts, and a suggestion for an invalid one. */
export const wanted = (schema: Schema.Top, given: unknown): { readonly what: string; readonly remedy: string } => {
  const type = typeOf(schema)
  return { what: inWords(type, false), remedy: remedy(type, given) }
}
