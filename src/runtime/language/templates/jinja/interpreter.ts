/**
 * Renders templates as Python's Jinja does. The library parses and evaluates; wherever it is more lenient than Python
 * or differs, the step is done here as in Python, or refused by name when reached.
 */
import { applied, method, tested } from "./calls.ts"
import { type Environment, Interpreter, type Node, type Value } from "./library.ts"
import { globals, ofLoops, ofMaps, ofStrings, others } from "./names.ts"
import type { Roles, Run } from "./source.ts"
import { called, characters, equal, type Kind, kindOf, known, made, refuse, textOf } from "./values.ts"

type Rule = (run: Run, node: Node) => Value

const within = (left: Value, right: Value): boolean => {
  const kind = kindOf(right)
  if (kind === "list") return (right.value as ReadonlyArray<Value>).some((own) => equal(own, left))
  if (kind === "undefined") return false
  if (kindOf(left) !== "text") return refuse(`${called[kindOf(left)]} in ${called[kind]}`)
  if (kind === "text") return String(right.value).includes(String(left.value))
  return kind === "map" ? (right.value as ReadonlyMap<unknown, Value>).has(left.value) : refuse(`in ${called[kind]}`)
}

const safe = (value: number): Value => Number.isSafeInteger(value) ? made(value) : refuse("a number beyond 2^53")
const divisor = (b: number): number => b === 0 ? refuse("a division by 0") : b

const numbers: Readonly<Record<string, (a: number, b: number) => Value>> = {
  "+": (a, b) => safe(a + b),
  "-": (a, b) => safe(a - b),
  "*": (a, b) => safe(a * b),
  "//": (a, b) => safe(Math.floor(a / divisor(b))),
  "%": (a, b) => safe(a - b * Math.floor(a / divisor(b))),
  "<": (a, b) => made(a < b),
  ">": (a, b) => made(a > b),
  "<=": (a, b) => made(a <= b),
  ">=": (a, b) => made(a >= b)
}

/** In Jinja, ~ binds tighter than + and -, but not in the library; for strings alone the result is the same. */
const checkOrder = (node: Node, values: ReadonlyArray<Value>): void => {
  const operators = [node["left"], node["right"]].map((side: Node) => side["operator"]?.value as unknown)
  values.forEach((value, i) => {
    if ((operators[i] === "+" || operators[i] === "-") && kindOf(value) !== "text") refuse(`${operators[i]} beside ~`)
  })
}

const binary: Rule = ({ evaluate, usual }, node) => {
  const operator = node["operator"].value as string
  if (operator === "and" || operator === "or") return usual(node)
  const [left, right] = [evaluate(node["left"]), evaluate(node["right"])]
  const kinds = [kindOf(left), kindOf(right)]
  if (operator === "==" || operator === "!=") return made(equal(left, right) === (operator === "=="))
  if (operator === "in" || operator === "not in") return made(within(left, right) === (operator === "in"))
  if (operator === "~") {
    checkOrder(node, [left, right])
    return made(textOf(left) + textOf(right))
  }
  if (kinds.every((kind) => kind === "int") && Object.hasOwn(numbers, operator)) {
    return numbers[operator]!(left.value as number, right.value as number)
  }
  const adds = operator === "+" && kinds[0] === kinds[1] && (kinds[0] === "text" || kinds[0] === "list")
  if (!adds) refuse(`${operator} of ${called[kinds[0]!]} and ${called[kinds[1]!]}`)
  return usual({ ...node, left: known(left), right: known(right) })
}

/** The value of an attribute or item where Python and the library differ; `undefined` where they agree. */
const special = (object: Value, key: Value, node: Node): Value | undefined => {
  const [kind, name] = [kindOf(object), key.value]
  if (kind === "undefined") refuse(`${JSON.stringify(name)} of what is not defined`)
  if (kind === "text" && kindOf(key) === "int") return made(characters(String(object.value)).at(Number(name)))
  if (kind === "list" && kindOf(key) === "int") return undefined
  if (typeof name !== "string") return refuse(`${called[kindOf(key)]} as a key of ${called[kind]}`)
  if (name.startsWith("_")) refuse(`the attribute ${name}`)
  if (kind === "text" || kind === "map") return attribute(object, kind, name, node)
  return kind === "none" || kind === "namespace" ? undefined : refuse(`the attribute ${name} of ${called[kind]}`)
}

const attribute = (object: Value, kind: "text" | "map", name: string, node: Node): Value | undefined => {
  const methods = kind === "text" ? ofStrings : ofMaps
  const isMethod = Object.hasOwn(methods, name)
  const has = kind === "map" && (object.value as ReadonlyMap<unknown, Value>).has(name)
  if (has && (!(isMethod || others.map.has(name)) || node["computed"] === true)) return undefined
  if (has || others[kind].has(name)) refuse(`.${name} of ${called[kind]}`)
  if (node["object"].value === "loop" && ofLoops.has(name)) refuse(`loop.${name}`)
  return isMethod ? undefined : made(undefined)
}

const member: Rule = ({ evaluate, usual }, node) => {
  const object = evaluate(node["object"])
  const { computed, property } = node as Node & { readonly property: Node }
  if (computed === true && property.type === "SliceExpression") {
    const { step } = property as Node & { readonly step?: Node }
    const by = step && evaluate(step)
    if (by?.value === 0) refuse("a slice by steps of 0")
    return usual({ ...node, object: known(object), property: { ...property, step: by && known(by) } })
  }
  const key = computed === true || property.type === "IntegerLiteral" ? evaluate(property) : made(property["value"])
  return special(object, key, node) ?? usual({ ...node, object: known(object), property: known(key), computed: true })
}

const sign: Rule = ({ evaluate, usual }, node) => {
  if (node["operator"].value === "not") return usual(node)
  const value = evaluate(node["argument"])
  return kindOf(value) === "int"
    ? usual({ ...node, argument: known(value) })
    : refuse(`a sign of ${called[kindOf(value)]}`)
}

const iterable: ReadonlySet<Kind> = new Set(["list", "map"])

const loop: Rule = ({ evaluate, usual }, node) => {
  const own = node["iterable"] as Node
  const from = own.type === "SelectExpression" ? own["lhs"] as Node : own
  const value = evaluate(from)
  if (!iterable.has(kindOf(value))) refuse(`a loop over ${called[kindOf(value)]}`)
  return usual({ ...node, iterable: own === from ? known(value) : { ...own, lhs: known(value) } })
}

const name: Rule = ({ roles, usual }, node) => {
  if (roles.strangers.has(node)) refuse(`${node["value"]} of where a macro is called`)
  return globals.has(node["value"]) ? refuse(String(node["value"])) : usual(node)
}

const rules: Readonly<Record<string, Rule>> = {
  BinaryExpression: binary,
  Break: () => refuse("break"),
  CallExpression: method,
  CallStatement: () => refuse("call"),
  Continue: () => refuse("continue"),
  FilterExpression: applied,
  FilterStatement: () => refuse("a block of filter"),
  FloatLiteral: () => refuse("a float"),
  For: loop,
  Identifier: name,
  MemberExpression: member,
  TestExpression: tested,
  UnaryExpression: sign
}

export class PythonInterpreter extends Interpreter {
  private readonly roles: Roles
  constructor(variables: Environment, roles: Roles) {
    super(variables)
    this.roles = roles
  }

  override evaluate(node: Node | undefined, environment: Environment): Value {
    if (node === undefined) return made(undefined)
    if (node.type === "Known") return node["value"] as Value
    const keeps = this.roles.firsts.get(node)
    /** Variables set in a loop's body do not persist to the next iteration. */
    if (keeps) {
      for (const name of environment.variables.keys()) if (!keeps.has(name)) environment.variables.delete(name)
    }
    const usual = (own: Node) => super.evaluate(own, environment)
    const evaluate = (own: Node) => this.evaluate(own, environment)
    const value = Object.hasOwn(rules, node.type)
      ? rules[node.type]!({ evaluate, usual, roles: this.roles }, node)
      : usual(node)
    return this.roles.printed.has(node) ? made(textOf(value)) : value
  }
}
