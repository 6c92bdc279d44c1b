/** Settings of a merge's parameters, as mergekit writes them: values, gradients over the layers, and filters by tensor. */
import { brief, cut } from "../../../domain/brief.ts"
import type { Parameter } from "./methods.ts"

type Value = number | boolean

/** Values for the tensors whose names have `filter` in them: one, or several to be spread over the layers. */
interface Condition {
  readonly filter?: string
  readonly values: ReadonlyArray<Value>
}
/** The first condition whose filter fits counts. */
export type Setting = ReadonlyArray<Condition>
/** Settings by parameter. */
export type Settings = Readonly<Record<string, Setting>>

const truths: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...["true", "t", "yes", "y", "on", "1", 1, true].map((v) => [v, true] as const),
  ...["false", "f", "no", "n", "off", "0", 0, false].map((v) => [v, false] as const)
])
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** A value of the parameter's type; a message if it is none. Numbers as texts, such as "1e-3", are numbers. */
const valueOf = (kind: Parameter, given: unknown): Value | string => {
  if (kind.type === "boolean") {
    return truths.get(typeof given === "string" ? given.toLowerCase() : given) ??
      `${brief(given)} is neither true nor false`
  }
  const value = typeof given === "string" && decimal.test(given.trim()) ? Number(given) : Number(given ?? NaN)
  const isText = typeof given === "string" && !decimal.test(given.trim())
  if (typeof given === "object" || isText || !Number.isFinite(value)) return `${brief(given)} is no number`
  return kind.type === "integer" && !Number.isInteger(value) ? `${brief(given)} is no whole number` : value
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The values of a list or of one value, with its problems. */
const valuesOf = (kind: Parameter, given: unknown, problems: Array<string>): ReadonlyArray<Value> => {
  const values = (Array.isArray(given) ? given : [given]).map((each) => valueOf(kind, each))
  if (values.length === 0) problems.push("an empty list is no value")
  problems.push(...values.filter((v) => typeof v === "string"))
  if (kind.type === "integer" && values.length > 1) problems.push("a whole number has no gradient over the layers")
  return values.filter((v) => typeof v !== "string")
}

const conditionOf = (kind: Parameter, given: Readonly<Record<string, unknown>>, problems: Array<string>): Condition => {
  const { filter, value, ...rest } = given
  problems.push(...Object.keys(rest).map((key) => `${cut(key)} is no key of a condition: it has filter and value`))
  if (value === undefined || value === null) problems.push("a condition has no value")
  if (filter !== undefined && filter !== null && typeof filter !== "string") {
    problems.push(`filter ${brief(filter)} is no text`)
  }
  const values = value === undefined || value === null ? [] : valuesOf(kind, value, problems)
  return typeof filter === "string" && filter !== "*" ? { filter, values } : { values }
}

/** Decodes a parameter's setting, and lists what is wrong with it. */
export const settingOf = (kind: Parameter, given: unknown) => {
  const problems: Array<string> = []
  const list = Array.isArray(given) ? given as ReadonlyArray<unknown> : [given]
  const conditions = list.filter(isObject)
  if (conditions.length > 0 && conditions.length < list.length) problems.push("mixes conditions and values")
  const setting: Setting = conditions.length > 0
    ? conditions.map((condition) => conditionOf(kind, condition, problems))
    : [{ values: valuesOf(kind, given, problems) }]
  return { setting, problems }
}

/**
 * A setting's value for a tensor at `t`, from 0 at the first layer to 1 at the last: numbers are interpolated, truth
 * values chosen. `undefined` if no condition fits.
 */
export const evaluate = (setting: Setting, name: string, t: number): Value | undefined => {
  const found = setting.find(({ filter }) => filter === undefined || name.includes(filter))
  const values = found?.values ?? []
  if (values.length === 0) return undefined
  const place = t * (values.length - 1)
  const first = Math.trunc(place)
  const [a, b] = [values[first]!, values[Math.min(values.length - 1, first + 1)]!]
  if (typeof a === "boolean" || typeof b === "boolean") return a
  return (1 - (place - first)) * a + (place - first) * b
}

/** The parameters of a tensor from settings in order of precedence, then defaults; and those that are missing. */
export const resolve = (
  kinds: Readonly<Record<string, Parameter>>,
  sources: ReadonlyArray<Settings>,
  name: string,
  t: number
) => {
  const values: Record<string, Value> = {}
  const missing: Array<string> = []
  for (const [key, kind] of Object.entries(kinds)) {
    const given = sources.map((source) => source[key]).filter((s) => s !== undefined)
    const found = given.map((setting) => evaluate(setting, name, t)).find((value) => value !== undefined) ??
      kind.default
    if (found === undefined) missing.push(key)
    else if (found !== null) values[key] = found
  }
  return { values, missing }
}
