/** mergekit's merge config: its keys decoded, all that is not known here refused in one error. */
import * as Effect from "effect/Effect"
import { brief, cut } from "../../../domain/brief.ts"
import { didYouMean } from "../../../domain/nearest.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import type { Dtype } from "./group.ts"
import { type Method, methods } from "./methods.ts"
import { settingOf, type Settings } from "./parameters.ts"

/** A model among the inputs, with parameters of its own. */
export interface Source {
  readonly model: string
  /** Layers that a slice takes of it: from the first up to, but without, the second. */
  readonly range?: readonly [from: number, to: number]
  readonly parameters: Settings
}

/** Layers of the output, merged of layers of its sources. */
export interface Slice {
  readonly sources: ReadonlyArray<Source>
  readonly base?: string
  readonly parameters: Settings
}

/** A merge. */
export interface MergeConfig {
  /** Name of the method. */
  readonly name: string
  readonly method: Method
  readonly base?: string
  /** Without `slices`: whole models. */
  readonly models: ReadonlyArray<Source>
  readonly slices?: ReadonlyArray<Slice>
  readonly parameters: Settings
  /** Type that tensors are merged in; by default the widest of the models'. */
  readonly dtype?: Dtype
  /** Type that tensors are written in; by default that they are merged in. */
  readonly outDtype?: Dtype
  /** "base", "union", or the name of a model. */
  readonly tokenizerSource?: string
}

/** A decoded config, and what of it has no effect. */
export interface Decoded {
  readonly config: MergeConfig
  readonly idle: ReadonlyArray<string>
}

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const keys = [
  "merge_method",
  "base_model",
  "models",
  "slices",
  "parameters",
  "dtype",
  "out_dtype",
  "tokenizer_source"
] as const
/** mergekit's other keys. */
const foreign: Readonly<Record<string, string>> = {
  modules: "not supported here; list the models under models",
  tokenizer: "not supported here; write tokenizer_source: base, union or a model",
  chat_template: "not supported here; the chat template is the tokenizer's"
}
const dtypes: Readonly<Record<string, Dtype>> = {
  float32: "float32",
  float16: "float16",
  bfloat16: "bfloat16",
  "torch.float32": "float32",
  "torch.float16": "float16",
  "torch.bfloat16": "bfloat16"
}

/** Everything that decoding collects. */
interface Notes {
  readonly problems: Array<string>
  readonly idle: Array<string>
}

const unknownKeys = (json: Json, known: ReadonlyArray<string>, place: string, { problems }: Notes): void => {
  for (const key of Object.keys(json)) {
    if (known.includes(key)) continue
    const near = didYouMean(key, known)
    const why = place === "" && Object.hasOwn(foreign, key)
      ? foreign[key]!
      : `is no key here${near ? `, did you mean "${near}"?` : ""}`
    problems.push(`${place}${cut(key)}: ${why}`)
  }
}

const present = (json: Json): Json => Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))

const text = (json: Json, key: string, place: string, { problems }: Notes): string | undefined => {
  const value = json[key]
  if (value === undefined || (typeof value === "string" && value.trim() !== "")) return value
  problems.push(`${place}${key}: ${brief(value)} is no text`)
  return undefined
}

/** Where a parameter may stand. */
interface Scope {
  readonly method: Method
  readonly name: string
  readonly place: string
  /** A model's own parameters. */
  readonly ofModel: boolean
}

const everyParameter = [
  ...new Set(Object.values(methods).flatMap(({ own, shared }) => Object.keys({ ...own, ...shared })))
]

/** Why a parameter that some method has does nothing here; `undefined` if it does something. */
const idleness = (key: string, { method, name, ofModel }: Scope): string | undefined => {
  const known = Object.hasOwn(method.shared, key) || Object.hasOwn(method.own, key)
  if (!known) return key === "int8_mask" ? "changes nothing here" : `has no effect on ${name}`
  if (ofModel && Object.hasOwn(method.shared, key)) return "is shared by all models: write it under parameters"
  return key === "int8_mask" ? "changes nothing here" : undefined
}

const parametersOf = (given: unknown, scope: Scope, notes: Notes): Settings => {
  const { method, place } = scope
  if (given === undefined || given === null) return {}
  if (!isObject(given)) {
    notes.problems.push(`${place}parameters: ${brief(given)} is no object`)
    return {}
  }
  return Object.fromEntries(
    Object.entries(given).flatMap(([key, value]) => {
      const at = `${place}parameters.${cut(key)}`
      if (!everyParameter.includes(key)) {
        const near = didYouMean(key, everyParameter)
        notes.problems.push(`${at}: no method has this parameter${near ? `, did you mean "${near}"?` : ""}`)
        return []
      }
      const idle = idleness(key, scope)
      if (idle !== undefined) notes.idle.push(`${at} ${idle}`)
      const kind = method.shared[key] ?? method.own[key]
      if (idle !== undefined || kind === undefined || value === null) return []
      const { problems, setting } = settingOf(kind, value)
      notes.problems.push(...problems.map((problem) => `${at}: ${problem}`))
      return [[key, setting] as const]
    })
  )
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const rangeOf = (value: unknown, place: string, { problems }: Notes): readonly [number, number] | undefined => {
  const [from, to, ...more] = Array.isArray(value) ? value as ReadonlyArray<unknown> : []
  if (isCount(from) && isCount(to) && from < to && more.length === 0) return [from, to]
  problems.push(`${place}layer_range: ${brief(value ?? null)} is no pair of layers, the first less than the second`)
  return undefined
}

type Naming = Omit<Scope, "place" | "ofModel">

const sourceOf = (given: unknown, naming: Naming, place: string, sliced: boolean, notes: Notes): Source | undefined => {
  if (!isObject(given)) {
    notes.problems.push(`${place.slice(0, -1)}: ${brief(given)} is no object with the key model`)
    return undefined
  }
  const json = present(given)
  unknownKeys(given, ["model", "parameters", ...sliced ? ["layer_range"] : []], place, notes)
  const model = text(json, "model", place, notes)
  if (json["model"] === undefined) notes.problems.push(`${place}model: is missing`)
  const range = sliced ? rangeOf(json["layer_range"], place, notes) : undefined
  const parameters = parametersOf(json["parameters"], { ...naming, place, ofModel: true }, notes)
  return model === undefined ? undefined : { model, parameters, ...(range ? { range } : {}) }
}

const list = (given: unknown, place: string, { problems }: Notes): ReadonlyArray<unknown> => {
  if (Array.isArray(given) && given.length > 0) return given as ReadonlyArray<unknown>
  problems.push(`${place}: ${brief(given ?? null)} is no list of any length`)
  return []
}

const sourcesOf = (given: unknown, naming: Naming, place: string, sliced: boolean, notes: Notes) => {
  const sources = list(given, place, notes).flatMap((each, i) =>
    sourceOf(each, naming, `${place}[${i}].`, sliced, notes) ?? []
  )
  const twice = sources.find(({ model }, i) => sources.findIndex((other) => other.model === model) < i)
  if (twice) notes.problems.push(`${place}: ${cut(twice.model)} is listed twice`)
  return sources
}

const sliceOf = (given: unknown, naming: Naming, place: string, notes: Notes): Slice | undefined => {
  if (!isObject(given)) {
    notes.problems.push(`${place.slice(0, -1)}: ${brief(given)} is no object with the key sources`)
    return undefined
  }
  const json = present(given)
  unknownKeys(given, ["sources", "base_model", "residual_weight", "parameters"], place, notes)
  if (json["residual_weight"] !== undefined) {
    notes.idle.push(`${place}residual_weight has no effect, nor has it in mergekit`)
  }
  const sources = sourcesOf(json["sources"], naming, `${place}sources`, true, notes)
  const lengths = new Set(sources.flatMap(({ range }) => range ? [range[1] - range[0]] : []))
  if (lengths.size > 1) notes.problems.push(`${place}sources: all must have the same number of layers`)
  const base = text(json, "base_model", place, notes)
  return {
    sources,
    parameters: parametersOf(json["parameters"], { ...naming, place, ofModel: false }, notes),
    ...(base === undefined ? {} : { base })
  }
}

const dtypeOf = (json: Json, key: string, { problems }: Notes): Dtype | undefined => {
  const value = json[key]
  if (value === undefined) return undefined
  if (typeof value === "string" && Object.hasOwn(dtypes, value)) return dtypes[value]
  problems.push(`${key}: ${brief(value)} is not one of float32, float16, bfloat16`)
  return undefined
}

const methodOf = (json: Json, { problems }: Notes): string | undefined => {
  const name = json["merge_method"]
  if (typeof name === "string" && Object.hasOwn(methods, name)) return name
  const known = Object.keys(methods)
  const near = typeof name === "string" ? didYouMean(name, known) : undefined
  problems.push(
    name === undefined
      ? `merge_method: is missing; it is one of ${known.join(", ")}`
      : `merge_method: ${brief(name)} is not known here${near ? `, did you mean "${near}"?` : ""}; known are ${
        known.join(", ")
      }`
  )
  return undefined
}

/** What is wrong with the number of models, and with the base. */
const counted = (
  name: string,
  { base: role, models: [least, most] }: Method,
  sources: ReadonlyArray<Source>,
  base: string | undefined,
  place: string
): ReadonlyArray<string> => {
  const others = role === "ignored"
    ? sources.length + (base !== undefined && !sources.some(({ model }) => model === base) ? 1 : 0)
    : sources.filter(({ model }) => model !== base).length
  const which = role === "ignored" || base === undefined ? "models" : "models beside base_model"
  const wanted = least === most ? `exactly ${least}` : others < least ? `at least ${least}` : `at most ${most}`
  return [
    ...(role === "required" && base === undefined ? [`base_model: ${name} needs one`] : []),
    ...(others < least || others > most ? [`${place}: ${name} takes ${wanted} ${which}, not ${others}`] : [])
  ]
}

const bodyOf = (json: Json, name: string, notes: Notes): MergeConfig => {
  const method = methods[name]!
  const naming = { method, name }
  const [base, tokenizerSource] = [text(json, "base_model", "", notes), text(json, "tokenizer_source", "", notes)]
  const both = ["models", "slices"].filter((key) => json[key] !== undefined)
  if (both.length !== 1) {
    notes.problems.push(
      `exactly one of models and slices is needed, and there ${both.length ? "are both" : "is neither"}`
    )
  }
  const models = both.includes("models") ? sourcesOf(json["models"], naming, "models", false, notes) : []
  const slices = both.includes("slices")
    ? list(json["slices"], "slices", notes).flatMap((each, i) => sliceOf(each, naming, `slices[${i}].`, notes) ?? [])
    : undefined
  if (both[0] === "models") notes.problems.push(...counted(name, method, models, base, "models"))
  slices?.forEach((slice, i) =>
    notes.problems.push(...counted(name, method, slice.sources, slice.base ?? base, `slices[${i}].sources`))
  )
  const [dtype, outDtype] = [dtypeOf(json, "dtype", notes), dtypeOf(json, "out_dtype", notes)]
  return {
    name,
    method,
    models,
    parameters: parametersOf(json["parameters"], { ...naming, place: "", ofModel: false }, notes),
    ...(base === undefined ? {} : { base }),
    ...(slices ? { slices } : {}),
    ...(dtype ? { dtype } : {}),
    ...(outDtype ? { outDtype } : {}),
    ...(tokenizerSource === undefined ? {} : { tokenizerSource })
  }
}

/** Decodes a config; fails with a `ConfigError` of everything that is wrong with it. */
export const decode = Effect.fnUntraced(function*(source: string, given: Json) {
  const notes: Notes = { problems: [], idle: [] }
  const json = present(given)
  unknownKeys(given, keys, "", notes)
  const name = methodOf(json, notes)
  const config = name === undefined ? undefined : bodyOf(json, name, notes)
  if (config === undefined || notes.problems.length > 0) {
    return yield* new ConfigError({ source, problems: notes.problems })
  }
  return { config, idle: notes.idle } satisfies Decoded as Decoded
})
