/** Template values with Python semantics, where JavaScript differs. */
import { Environment, type Node, type Value } from "./library.ts"

export type Kind = "flag" | "float" | "function" | "int" | "list" | "map" | "namespace" | "none" | "text" | "undefined"

const kinds: Readonly<Record<string, Kind>> = {
  ArrayValue: "list",
  BooleanValue: "flag",
  FloatValue: "float",
  FunctionValue: "function",
  IntegerValue: "int",
  KeywordArgumentsValue: "map",
  NamespaceValue: "namespace",
  NullValue: "none",
  ObjectValue: "map",
  StringValue: "text",
  TupleValue: "list",
  UndefinedValue: "undefined"
}

export const kindOf = ({ type }: Value): Kind => kinds[type]!

/** Names of types in error messages. */
export const called: Readonly<Record<Kind, string>> = {
  flag: "a truth value",
  float: "a float",
  function: "a function",
  int: "an integer",
  list: "a list",
  map: "a mapping",
  namespace: "a namespace",
  none: "none",
  text: "a string",
  undefined: "what is not defined"
}

/** A template uses something that is unsupported, or that would differ from Python. */
export class Unsupported extends Error {}

export const refuse = (what: string): never => {
  throw new Unsupported(`${what} is not supported here`)
}

/** Wraps a plain JavaScript value. */
export const made = (value: unknown): Value => new Environment().set("value", value)

/** A node with a known value. */
export const known = (value: Value): Node => ({ type: "Known", value })

/** A value as Python prints it. */
export const textOf = (value: Value): string => {
  const kind = kindOf(value)
  if (kind === "flag") return value.value ? "True" : "False"
  if (kind === "none") return "None"
  if (kind === "undefined") return ""
  return kind === "text" || kind === "int" ? String(value.value) : refuse(`${called[kind]} as a text`)
}

const isNumeric = (kind: Kind): boolean => kind === "int" || kind === "flag" || kind === "float"

/** Equality as in Python: types matter, not spelling; booleans compare as numbers. */
export const equal = (a: Value, b: Value): boolean => {
  const [one, other] = [kindOf(a), kindOf(b)]
  if (isNumeric(one) && isNumeric(other)) return Number(a.value) === Number(b.value)
  if (one !== other) return false
  if (one === "none" || one === "undefined") return true
  return one === "text" ? a.value === b.value : refuse(`== of ${called[one]}`)
}

/** Whitespace for Python's strip(). */
// oxlint-disable-next-line no-control-regex -- they are
const isSpace = (character: string): boolean => character !== "\ufeff" && /[\s\x1c-\x1f\x85]/.test(character)

/** Strips whitespace, or the characters in `of`, from the ends. */
export const stripped = (text: string, of?: string, side: "both" | "left" | "right" = "both"): string => {
  const all = characters(text)
  const goes = of === undefined ? isSpace : (character: string) => characters(of).includes(character)
  const stays = (character: string) => !goes(character)
  const begin = side === "right" ? 0 : all.findIndex(stays)
  const end = side === "left" ? all.length : all.findLastIndex(stays) + 1
  return begin < 0 ? "" : all.slice(begin, end).join("")
}

/** Characters as code points: surrogate pairs are kept together. */
export const characters = (text: string): ReadonlyArray<string> =>
  /[\ud800-\udfff]/.test(text) ? [...text] : text.split("")

const isAscii = (text: string): boolean => Array.from(text).every((character) => character < "\x80")

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase()

/** Python's capitalize() and title(), for ASCII only. */
export const capitalized = (text: string): string => isAscii(text) ? capital(text) : refuse("a capital beyond ASCII")
export const titled = (text: string): string =>
  isAscii(text) ? text.replaceAll(/[a-z]+/gi, capital) : refuse("a title beyond ASCII")
