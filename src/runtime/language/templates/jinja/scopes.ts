/** Name binding in templates. */
import type { Node } from "./library.ts"

/** Visits a node and all its descendants. */
export const walk = (node: unknown, visit: (node: Node) => void): void => {
  if (typeof node !== "object" || node === null) return
  if (node instanceof Map) {
    for (const [key, value] of node) {
      walk(key, visit)
      walk(value, visit)
    }
    return
  }
  if (!Array.isArray(node) && typeof (node as Node).type === "string") visit(node as Node)
  for (const own of Object.values(node)) walk(own, visit)
}

/** Names bound by the target of a loop or an assignment. */
export const bound = (target: Node): ReadonlyArray<string> =>
  target.type === "Identifier"
    ? [target["value"]]
    : target.type === "TupleLiteral"
    ? target["value"].flatMap(bound)
    : []

/** Names bound within a node. */
const boundIn = (node: unknown): ReadonlySet<string> => {
  const names = new Set<string>()
  walk(node, (own) => {
    const targets: ReadonlyArray<Node> = own.type === "For"
      ? [own["loopvar"]]
      : own.type === "Set"
      ? [own["assignee"]]
      : own.type === "Macro"
      ? own["args"].map((arg: Node) => arg["key"] ?? arg)
      : []
    for (const target of targets) for (const name of bound(target)) names.add(name)
    if (own.type === "For") names.add("loop")
  })
  return names
}

/** The field of a node that holds a name, not a variable. */
const unread = ({ computed, type }: Node): string | undefined => {
  if (type === "MemberExpression" && computed !== true) return "property"
  return type === "TestExpression" ? "test" : type === "KeywordArgumentExpression" ? "key" : undefined
}

/** Free variables of a node; a loop binds its variables for its body. */
const read = (node: unknown, own: ReadonlySet<string>): ReadonlyArray<Node> => {
  if (typeof node !== "object" || node === null) return []
  if (node instanceof Map) return [...node].flatMap((pair) => read(pair, own))
  const { type, ...parts } = node as Node
  if (type === "Identifier") return own.has(parts["value"]) ? [] : [node as Node]
  if (type === "FilterExpression") return [...read(parts["operand"], own), ...read(parts["filter"]["args"], own)]
  if (type !== "For") {
    const skipped = unread(node as Node)
    return Object.entries(parts).flatMap(([key, part]) => key === skipped ? [] : read(part, own))
  }
  const { body, defaultBlock, iterable, loopvar } = parts
  const inner = new Set([...own, ...bound(loopvar), ...boundIn(body), "loop"])
  return [...read(iterable, inner), ...read(body, inner), ...read(defaultBlock, own)]
}

/** Names in macros that belong to the caller's scope: the library finds them there, Jinja does not. */
export const strangersOf = (program: Node): ReadonlySet<Node> => {
  const [scoped, found] = [new Set<string>(), new Set<Node>()]
  walk(program, (node) => {
    const isScope = node.type === "For" || node.type === "Macro"
    for (const name of isScope ? boundIn(node) : []) scoped.add(name)
  })
  walk(program, (macro) => {
    if (macro.type !== "Macro") return
    const own = new Set(boundIn(macro))
    own.delete("loop")
    for (const node of read(macro["body"], own)) if (scoped.has(node["value"])) found.add(node)
  })
  return found
}

/** A name set in a `call` block and also used outside it, where Jinja does not see the assignment. */
export const leaked = (program: Node): string | undefined => {
  const count = (node: unknown, name: string): number => {
    let found = 0
    walk(node, ({ type, value }) => found += type === "Identifier" && value === name ? 1 : 0)
    return found
  }
  let found: string | undefined
  walk(program, ({ body, type }) => {
    if (type !== "CallStatement") return
    found ??= [...boundIn(body)].find((name) => name !== "loop" && count(program, name) > count(body, name))
  })
  return found
}
