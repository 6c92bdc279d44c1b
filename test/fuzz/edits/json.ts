/** JSON as its text has it: keys may come twice, numbers be spelled in any way, and values be of any depth. */

/** An object, a list, or the text of a scalar. Keys are the text between the quotes included. */
export type Json = JsonObject | JsonList | string
export interface JsonObject {
  readonly entries: ReadonlyArray<readonly [key: string, value: Json]>
}
export interface JsonList {
  readonly items: ReadonlyArray<Json>
}

export const isObject = (json: Json): json is JsonObject => typeof json !== "string" && "entries" in json
export const isList = (json: Json): json is JsonList => typeof json !== "string" && "items" in json

export const of = (value: unknown): Json => {
  if (Array.isArray(value)) return { items: value.map(of) }
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return { entries: Object.entries(value).map(([key, own]) => [JSON.stringify(key), of(own)]) }
}

export const textOf = (json: Json): string => {
  if (typeof json === "string") return json
  if (isList(json)) return `[${json.items.map(textOf).join(",")}]`
  return `{${json.entries.map(([key, value]) => `${key}:${textOf(value)}`).join(",")}}`
}

/** The places of a value's members by key or number. */
export type Path = ReadonlyArray<string | number>

const children = (json: Json): ReadonlyArray<readonly [string | number, Json]> => {
  if (typeof json === "string") return []
  return isList(json) ? json.items.map((item, i) => [i, item]) : json.entries.map(([k, v]) => [JSON.parse(k), v])
}

/** Every place, the root first. */
export const places = (json: Json): ReadonlyArray<Path> => [
  [],
  ...children(json).flatMap(([key, value]) => places(value).map((rest): Path => [key].concat(rest)))
]

/** What stands at a place; `undefined` where there is no such place. */
export const at = (json: Json, path: Path): Json | undefined => {
  const [first, ...rest] = path
  if (first === undefined) return json
  const found = children(json).findLast(([key]) => key === first)
  return found && at(found[1], rest)
}

/** The value with something else at a place; as it is where there is no such place. */
export const change = (json: Json, path: Path, edit: (json: Json) => Json): Json => {
  const [first, ...rest] = path
  if (first === undefined) return edit(json)
  if (typeof json === "string") return json
  if (isList(json)) return { items: json.items.map((item, i) => i === first ? change(item, rest, edit) : item) }
  return { entries: json.entries.map(([k, v]) => [k, JSON.parse(k) === first ? change(v, rest, edit) : v]) }
}
