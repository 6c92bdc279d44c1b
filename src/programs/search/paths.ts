/** Places of numbers in a merge config, as `models[0].parameters.weight` names them; `[*]` is every item of a list. */
import { brief, cut } from "../../domain/brief.ts"
import { pathText } from "../../domain/issues.ts"
import { didYouMean } from "../../domain/nearest.ts"

type Json = Readonly<Record<string, unknown>>
/** Keys and positions. */
export type Place = ReadonlyArray<string | number>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** The parts of a path; `undefined` if it is none. */
const partsOf = (path: string): ReadonlyArray<string | number> | undefined => {
  if (!/^[^.[\]]+(\.[^.[\]]+|\[(\d+|\*)\])*$/.test(path)) return undefined
  return [...path.matchAll(/\[(\d+|\*)\]|[^.[\]]+/g)].map(([part, item]) =>
    item === undefined ? part : item === "*" ? "*" : Number(item)
  )
}

/** What stands at a place. */
export const at = (json: unknown, place: Place): unknown =>
  place.reduce<unknown>((own, part) => own === undefined ? undefined : (own as Json)[part], json)

/** Why nothing stands at a part of a path. */
const lacking = (own: unknown, place: Place, part: string | number): string => {
  const here = place.length === 0 ? "the config" : pathText(place)
  if (typeof part === "number" || part === "*") {
    return Array.isArray(own) ? `${here} has ${own.length} items` : `${here} is no list`
  }
  if (!isObject(own)) return `${here} has no keys`
  const near = didYouMean(part, Object.keys(own))
  return `${here} has no ${cut(part)}${
    near === undefined ? `; it has ${Object.keys(own).join(", ")}` : `, did you mean ${near}?`
  }`
}

/** All places of a path's parts, in order; a list's items may lack what follows, but not all of them. */
const placesOf = (
  json: unknown,
  [part, ...rest]: ReadonlyArray<string | number>,
  place: Place = []
): ReadonlyArray<Place> | string => {
  if (part === undefined) return [place]
  const own = at(json, place)
  if (part === "*") {
    if (!Array.isArray(own) || own.length === 0) return lacking(own, place, part)
    const found = own.map((_, i) => placesOf(json, rest, [...place, i]))
    const some = found.flatMap((each) => typeof each === "string" ? [] : each)
    return some.length > 0 ? some : found[0]!
  }
  const isThere = typeof part === "number"
    ? Array.isArray(own) && part < own.length
    : isObject(own) && Object.hasOwn(own, part)
  return isThere ? placesOf(json, rest, [...place, part]) : lacking(own, place, part)
}

/** The places of a path in a merge config, all of which have to be numbers of parameters; or what is wrong with it. */
export const resolve = (config: Json, path: string): ReadonlyArray<Place> | string => {
  const parts = partsOf(path)
  if (parts === undefined) return `${brief(path)} is no path such as models[0].parameters.weight`
  const places = placesOf(config, parts)
  if (typeof places === "string") return `${cut(path)}: ${places}`
  if (!parts.includes("parameters")) return `${cut(path)}: is no parameter: a path leads through parameters`
  const wrong = places.find((place) => typeof at(config, place) !== "number")
  if (wrong === undefined) return places
  return `${pathText(wrong)}: ${brief(at(config, wrong) ?? null)} is no number; write the one that a search begins with`
}

const replaced = (json: unknown, [part, ...rest]: Place, value: number): unknown => {
  if (part === undefined) return value
  if (Array.isArray(json)) return json.with(Number(part), replaced(json[Number(part)], rest, value))
  return { ...json as Json, [part]: replaced((json as Json)[part], rest, value) }
}

/** A config with other numbers at some places. */
export const withNumbers = (config: Json, numbers: ReadonlyArray<readonly [Place, number]>): Json =>
  numbers.reduce<unknown>((json, [place, value]) => replaced(json, place, value), config) as Json
