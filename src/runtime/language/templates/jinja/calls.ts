/** Calls, filters and tests of templates, as in Python, for supported argument types. */
import { search } from "../../../../domain/pattern.ts"
import type { Node, Value } from "./library.ts"
import { ofMaps, ofStrings, type Signature } from "./names.ts"
import type { Run } from "./source.ts"
import {
  called,
  capitalized,
  characters,
  type Kind,
  kindOf,
  known,
  made,
  refuse,
  stripped,
  textOf,
  titled
} from "./values.ts"

type Nodes = ReadonlyArray<Node>
const isPlain = (args: Nodes): boolean =>
  args.every(({ type }) => !["SpreadExpression", "KeywordSpreadExpression", "KeywordArgumentExpression"].includes(type))

/** Maximum size of a range, as in Jinja's sandbox. */
const MOST = 100_000

const checkRange = (args: ReadonlyArray<Value>): void => {
  if (args.length === 0 || args.length > 3 || args.some((own) => kindOf(own) !== "int")) {
    refuse("range of other than integers")
  }
  const numbers = args.map(({ value }) => value as number)
  const [from, to, step] = numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1]
  if (step === 0 || Math.abs(to - from) > MOST * Math.abs(step)) refuse(`range of more than ${MOST} numbers`)
}

/** String methods for which the library differs from Python. */
const ours: Readonly<Record<string, (text: string, of?: string) => string>> = {
  capitalize: capitalized,
  lstrip: (text, of) => stripped(text, of, "left"),
  rstrip: (text, of) => stripped(text, of, "right"),
  strip: (text, of) => stripped(text, of),
  title: titled
}

// oxlint-disable-next-line no-control-regex -- white space to Python alone, or to JavaScript alone
const blank = /[\x1c-\x1f\x85\ufeff]/

/** Refuses arguments that a method does not accept, or that are treated differently here. */
const checkArguments = (name: string, { kinds, least }: Signature, args: ReadonlyArray<Value>, text = ""): void => {
  const fits = args.length >= least && args.length <= kinds.length &&
    args.every((own, i) => kinds[i]!.includes(kindOf(own)))
  const empty = (name === "replace" || name === "split") && args[0]?.value === ""
  if (!fits || empty) refuse(`${name}() of (${args.map((own) => called[kindOf(own)]).join(", ")})`)
  if (name === "split" && typeof args[0]?.value !== "string" && blank.test(text)) refuse("split() at such white space")
}

/** Refuses Python views and iterators, unless they are iterated or made a list. */
const checkView = (node: Node, name: string, { roles }: Run): void => {
  if (!roles.consumed.has(node)) refuse(`${name} that is neither gone through nor made a list`)
}

export const method = (run: Run, node: Node): Value => {
  const { evaluate, usual } = run
  const { args, callee } = node as Node & { readonly args: Nodes; readonly callee: Node }
  if (callee.type === "Identifier") {
    if (callee["value"] === "range") checkRange(isPlain(args) ? args.map(evaluate) : refuse("range by keywords"))
    return usual(node)
  }
  if (callee.type !== "MemberExpression" || callee["computed"] === true) return refuse("a call of what is no name")
  const object = evaluate(callee["object"])
  const [kind, name] = [kindOf(object), callee["property"].value as string]
  const bound = { ...callee, object: known(object) }
  const methods = kind === "text" ? ofStrings : kind === "map" ? ofMaps : {}
  if (!Object.hasOwn(methods, name)) return usual({ ...node, callee: bound })
  const given = isPlain(args) ? args.map(evaluate) : refuse(`${name}() with arguments by name`)
  checkArguments(name, methods[name]!, given, String(object.value))
  if (kind === "map" && name !== "get") checkView(node, `.${name}()`, run)
  if (kind === "text" && Object.hasOwn(ours, name)) {
    return made(ours[name]!(String(object.value), given[0]?.value as string))
  }
  return usual({ ...node, callee: bound, args: given.map(known) })
}

/** A filter for values of these types; `give` replaces the library's implementation. */
interface Filter {
  readonly of: ReadonlyArray<Kind>
  /** Maximum number of positional arguments; named ones must be in `names`. */
  readonly most?: number
  readonly names?: ReadonlyArray<string>
  /** Whether it returns an iterator. */
  readonly iterates?: true
  readonly give?: (value: Value, args: ReadonlyArray<Value>) => Value | undefined
}

const items = ({ value }: Value) => value as ReadonlyArray<Value>
const all: ReadonlyArray<Kind> = ["flag", "int", "list", "map", "none", "text"]

const sizeOf = (value: Value): Value =>
  made(
    kindOf(value) === "text"
      ? characters(String(value.value)).length
      : kindOf(value) === "list"
      ? items(value).length
      : (value.value as ReadonlyMap<unknown, unknown>).size
  )

const joined = (value: Value, [separator]: ReadonlyArray<Value>): Value =>
  separator === undefined || kindOf(separator) === "text"
    ? made(items(value).map(textOf).join(separator === undefined ? "" : String(separator.value)))
    : refuse("join by what is no string")

/** Refuses values that JSON lacks, or that Python writes differently. */
const checkJson = (value: Value): undefined => {
  const kind = kindOf(value)
  if (!all.includes(kind)) refuse(`tojson of ${called[kind]}`)
  if (kind === "list") items(value).forEach(checkJson)
  if (kind === "map") (value.value as ReadonlyMap<unknown, Value>).forEach((own) => checkJson(own))
}

const integer = ({ value }: Value): Value | undefined => {
  if (typeof value !== "string") return undefined
  return /^\s*[+-]?\d{1,15}\s*$/.test(value) ? made(Number(value)) : refuse("int of such a string")
}

/** Allows only tests of a mapping's attribute for truth or for equality with a string. */
const checkAttribute = (value: Value, args: ReadonlyArray<Value>): undefined => {
  const names = args.map((own) => kindOf(own) === "text" ? String(own.value) : refuse("an attribute that is no string"))
  const fits = names.length === 1 || (names.length === 3 && ["eq", "equalto"].includes(names[1]!))
  if (!fits || !/^[a-z_]+$/i.test(names[0]!)) refuse("selectattr of such arguments")
  if (items(value).some((own) => kindOf(own) !== "map")) refuse("selectattr of other than mappings")
}

/** Python's `re.sub`, with the groups that a replacement names. */
const substituted = (text: string, pattern: string, by: string): string =>
  text.replace(
    search(pattern),
    (...match: ReadonlyArray<unknown>) =>
      by.replace(/\\(?:(\d)|g<(\d+)>|n)/g, (own, one?: string, other?: string) => {
        if (own === "\\n") return "\n"
        const group = match[Number(one ?? other)]
        return typeof group === "string" ? group : ""
      })
  )

const filters: Readonly<Record<string, Filter>> = {
  abs: { of: ["int"] },
  capitalize: { of: ["text"], give: ({ value }) => made(capitalized(String(value))) },
  count: { of: ["text", "list", "map"], give: sizeOf },
  default: { of: [...all, "undefined"], most: 2, names: ["boolean"] },
  first: { of: ["list"], give: (value) => items(value)[0] ?? made(undefined) },
  int: { of: ["int", "text"], give: integer },
  items: { of: ["map"], iterates: true },
  join: { of: ["list"], most: 1, give: joined },
  last: { of: ["list"], give: (value) => items(value).at(-1) ?? made(undefined) },
  length: { of: ["text", "list", "map"], give: sizeOf },
  list: { of: ["list"] },
  lower: { of: ["text"] },
  map: { of: ["list"], names: ["attribute"], iterates: true },
  /** Of templates over records alone. */
  regex_replace: {
    of: ["text"],
    most: 2,
    give: ({ value }, [pattern, by]) => made(substituted(String(value), String(pattern?.value), String(by?.value)))
  },
  rejectattr: { of: ["list"], most: 3, iterates: true, give: checkAttribute },
  replace: {
    of: ["text"],
    most: 3,
    give: (_, args) => void checkArguments("replace", ofStrings["replace"]!, args)
  },
  reverse: { of: ["list"], iterates: true },
  selectattr: { of: ["list"], most: 3, iterates: true, give: checkAttribute },
  string: { of: [...all, "undefined"], give: (value) => made(textOf(value)) },
  tojson: { of: all, names: ["indent"], give: checkJson },
  trim: { of: ["text"], give: ({ value }) => made(stripped(String(value))) },
  upper: { of: ["text"] }
}

const splitArguments = (args: Nodes): readonly [plain: Nodes, named: Nodes] => [
  args.filter(({ type }) => type !== "KeywordArgumentExpression"),
  args.filter(({ type }) => type === "KeywordArgumentExpression")
]

export const applied = (run: Run, node: Node): Value => {
  const operand = run.evaluate(node["operand"])
  const own = node["filter"] as Node
  const [name, args] = own.type === "Identifier"
    ? [own["value"] as string, []]
    : [own["callee"].value as string, own["args"] as Nodes]
  const kind = kindOf(operand)
  const filter = Object.hasOwn(filters, name) ? filters[name]! : refuse(`the filter ${name}`)
  if (!filter.of.includes(kind)) refuse(`the filter ${name} of ${called[kind]}`)
  const [plain, named] = splitArguments(args)
  const isKnown = named.every(({ key }) => filter.names?.includes(key.value) === true)
  if (!isKnown || plain.length > (filter.most ?? 0) || args.some(({ type }) => type.includes("Spread"))) {
    refuse(`the filter ${name} with such arguments`)
  }
  if (filter.iterates) checkView(node, name, run)
  const given = plain.map(run.evaluate)
  const found = filter.give?.(operand, given)
  if (found !== undefined) return found
  if (name === "default" && args.length === 0) return kind === "undefined" ? made("") : operand
  return run.usual({ ...node, operand: known(operand) })
}

const kindsOf = (...kinds: ReadonlyArray<Kind>) => (value: Value): boolean => kinds.includes(kindOf(value))
const parity = (rest: number) => (value: Value): boolean =>
  kindOf(value) === "int"
    ? Math.abs(Number(value.value)) % 2 === rest
    : refuse(`a test of ${called[kindOf(value)]} for being even`)

const tests: Readonly<Record<string, (value: Value) => boolean>> = {
  boolean: kindsOf("flag"),
  defined: (value) => kindOf(value) !== "undefined",
  even: parity(0),
  false: ({ value }) => value === false,
  integer: kindsOf("int"),
  iterable: (value) =>
    kindOf(value) === "namespace"
      ? refuse("a test of a namespace")
      : kindsOf("text", "list", "map", "undefined")(value),
  mapping: kindsOf("map"),
  none: kindsOf("none"),
  number: kindsOf("int", "float", "flag"),
  odd: parity(1),
  sequence: (value) =>
    kindsOf("undefined", "namespace")(value)
      ? refuse("a test for being a sequence")
      : kindsOf("text", "list", "map")(value),
  string: kindsOf("text"),
  true: ({ value }) => value === true,
  undefined: kindsOf("undefined")
}

export const tested = ({ evaluate }: Run, node: Node): Value => {
  const value = evaluate(node["operand"])
  const name = node["test"].value as string
  const is = Object.hasOwn(tests, name) ? tests[name]!(value) : refuse(`the test ${name}`)
  return made(is !== node["negate"])
}
