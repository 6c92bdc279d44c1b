/** What may be wrong with an input, as data that prints well: edits of JSON, of bytes and of lines. */
import * as fc from "fast-check"
import { at, change, isList, isObject, type Json, of, type Path, places, textOf } from "./json.ts"

/** Keys and texts that some program or other takes for more than texts. */
export const strange = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  " ",
  "0",
  "-1",
  "true",
  "null",
  "NaN",
  "../x",
  "/etc/hostname",
  "a/b",
  "a\\b",
  "..",
  "a\u0000b",
  "a\nb",
  "\u001b[31mred",
  "\u202eabc",
  "\ufeffa",
  "é",
  "e\u0301",
  "\u{1f600}"
]

/** Halves of characters, which JSON can spell and no file can hold. */
const halves = ["\"\\ud800\"", "\"a\\udc00b\""]
const numbers = ["0", "-0", "1", "-1", "2", "3", "0.5", "1e-320", "1e308", "1e400", "2147483648", "4294967296"]
const integers = ["9007199254740992", "9007199254740993", "1.0", "1e0", "-9223372036854775808"]
const scalars = ["null", "true", "false", ...numbers, ...integers, ...halves, ...strange.map((s) => JSON.stringify(s))]
const containers = ["[]", "{}", "[null]", "[[]]", "{\"a\":1}", "{\"__proto__\":{}}", "[0,1]", "[\"a\",\"b\"]"]
const large = () => [
  `"${"x".repeat(70_000)}"`,
  `"${"ab ".repeat(3000)}"`,
  `${"[".repeat(300)}1${"]".repeat(300)}`,
  `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
  `${"{\"a\":".repeat(5000)}1${"}".repeat(5000)}`,
  `[${"0,".repeat(20_000)}0]`,
  `{${Array.from({ length: 3000 }, (_, i) => `"k${i}":${i}`).join(",")}}`,
  "9".repeat(400)
]

const short = (text: string): string => text.length > 60 ? `${text.slice(0, 40)}... (${text.length})` : text

/** A value of JSON as its text, which prints short. */
export class Raw {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  [fc.toStringMethod](): string {
    return short(this.text)
  }
}
const raw = (text: string) => new Raw(text)

/** Any text of a value: mostly small ones. */
export const values: fc.Arbitrary<Raw> = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(...scalars).map(raw) },
  { weight: 3, arbitrary: fc.constantFrom(...containers).map(raw) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }).map((value) => raw(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.nat(large().length - 1).map((i) => raw(large()[i]!)) }
)

/** What is done at a place of a JSON value. */
export type Edit =
  | { readonly path: Path; readonly does: "drop" | "twin" | "first" | "last" | "wrap" | "string" | "parse" | "bend" }
  | { readonly path: Path; readonly does: "replace" | "again" | "add"; readonly value: Raw }
  | { readonly path: Path; readonly does: "rename" | "beside"; readonly name: string }
  | { readonly path: Path; readonly does: "take"; readonly from: Path }

/** A key as it may be mistyped, or as a program may take it for another. */
const misspelt = (key: string): ReadonlyArray<string> => [
  key.toUpperCase(),
  `${key}s`,
  key.slice(0, -1),
  `${key} `,
  key.replaceAll("_", "-"),
  key.replace(/(.)(.)$/, "$2$1")
]

const nameOf = (path: Path): string => String(path.at(-1) ?? "a")

const editAt = (path: Path, all: ReadonlyArray<Path>): fc.Arbitrary<Edit> => {
  const names = fc.constantFrom(...misspelt(nameOf(path)), ...strange)
  return fc.oneof(
    { weight: 6, arbitrary: values.map((value): Edit => ({ path, does: "replace", value })) },
    { weight: 3, arbitrary: fc.constant<Edit>({ path, does: "drop" }) },
    { weight: 2, arbitrary: names.map((name): Edit => ({ path, does: "rename", name })) },
    { weight: 2, arbitrary: names.map((name): Edit => ({ path, does: "beside", name })) },
    { weight: 2, arbitrary: values.map((value): Edit => ({ path, does: "again", value })) },
    { weight: 1, arbitrary: values.map((value): Edit => ({ path, does: "add", value })) },
    {
      weight: 4,
      arbitrary: fc.constantFrom("twin", "first", "last", "wrap", "string", "parse", "bend").map(
        (does): Edit => ({ path, does: does as "twin" })
      )
    },
    { weight: 2, arbitrary: fc.constantFrom(...all).map((from): Edit => ({ path, does: "take", from })) }
  )
}

/** One to three edits of a value, mostly one; at places that `where` holds of. */
export const edits = (base: Json, where: (path: Path) => boolean = () => true): fc.Arbitrary<ReadonlyArray<Edit>> => {
  const all = places(base)
  const one = fc.constantFrom(...all.filter(where)).chain((path) => editAt(path, all))
  return fc.oneof(
    { weight: 6, arbitrary: one.map((edit) => [edit]) },
    { weight: 1, arbitrary: fc.array(one, { minLength: 2, maxLength: 3 }) }
  )
}

/** Some of it so many times as often as nothing. */
export const often = <A>(ratio: number, arbitrary: fc.Arbitrary<ReadonlyArray<A>>): fc.Arbitrary<ReadonlyArray<A>> =>
  fc.oneof({ weight: Math.round(ratio * 90), arbitrary }, { weight: 90, arbitrary: fc.constant([]) })

/** Another value of the same type. */
const bent = (json: Json): Json => {
  if (typeof json !== "string") return isList(json) ? { items: json.items.toReversed() } : json
  const value = JSON.parse(json) as unknown
  if (typeof value === "boolean") return String(!value)
  if (typeof value === "number") return String(value + 1)
  return typeof value === "string" ? JSON.stringify(value === "" ? "a" : `${value.slice(1)}${value[0]}`) : "0"
}

const quoted = (json: Json): Json => JSON.stringify(typeof json === "string" && json[0] !== "\"" ? json : textOf(json))
const unquoted = (json: Json): Json => {
  const value: unknown = typeof json === "string" ? JSON.parse(json) : undefined
  if (typeof value !== "string") return json
  try {
    return of(JSON.parse(value))
  } catch {
    return json
  }
}

/** A list of an object's or a list's members, edited. */
const members = (json: Json, edit: <A>(list: ReadonlyArray<A>) => ReadonlyArray<A>): Json => {
  if (typeof json === "string") return json
  return isList(json) ? { items: edit(json.items) } : { entries: edit(json.entries) }
}
const indexOf = (json: Json, key: string | number): number => {
  if (typeof json === "string") return -1
  if (isList(json)) return json.items.findIndex((_, i) => i === key)
  return json.entries.findIndex(([k]) => JSON.parse(k) === key)
}

/** Edits of what holds the place. */
const ofMember = (parent: Json, key: string | number, edit: Edit): Json => {
  const i = indexOf(parent, key)
  if (i < 0) return parent
  switch (edit.does) {
    case "drop":
      return members(parent, (list) => list.toSpliced(i, 1))
    case "twin":
      return members(parent, (list) => list.toSpliced(i, 0, list[i]!))
    case "first":
      return members(parent, (list) => [list[i]!, ...list.toSpliced(i, 1)])
    case "last":
      return members(parent, (list) => [...list.toSpliced(i, 1), list[i]!])
    case "rename":
    case "beside": {
      if (!isObject(parent)) return parent
      const named = [JSON.stringify(edit.name), parent.entries[i]![1]] as const
      return { entries: parent.entries.toSpliced(i, edit.does === "rename" ? 1 : 0, named) }
    }
    case "again":
      return isObject(parent)
        ? { entries: parent.entries.toSpliced(i + 1, 0, [parent.entries[i]![0], edit.value.text]) }
        : { items: (parent as { readonly items: ReadonlyArray<Json> }).items.toSpliced(i + 1, 0, edit.value.text) }
    case "add":
      return isObject(parent)
        ? { entries: [...parent.entries, ["\"added\"", edit.value.text]] }
        : { items: [...(parent as { readonly items: ReadonlyArray<Json> }).items, edit.value.text] }
    default:
      return parent
  }
}

const applied = (json: Json, edit: Edit): Json => {
  const { path } = edit
  switch (edit.does) {
    case "replace":
      return change(json, path, () => edit.value.text)
    case "wrap":
      return change(json, path, (own) => ({ items: [own] }))
    case "string":
      return change(json, path, quoted)
    case "parse":
      return change(json, path, unquoted)
    case "bend":
      return change(json, path, bent)
    case "take": {
      const from = at(json, edit.from)
      return from === undefined ? json : change(json, path, () => from)
    }
    default:
      return path.length === 0 ? json : change(json, path.slice(0, -1), (own) => ofMember(own, path.at(-1)!, edit))
  }
}

/** The text of a JSON value after the edits, one after the other. */
export const edited = (base: Json, all: ReadonlyArray<Edit>): Json => all.reduce(applied, base)
