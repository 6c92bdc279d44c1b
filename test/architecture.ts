/** What the rules of test/architecture.test.ts look at: the imports and the functions of source files. */
import { posix } from "node:path"
import { parseAst } from "vitest/node"

/** Source files by path from the root, as text. */
export type Sources = Readonly<Record<string, string>>

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === "string"

const nodesOf = (node: Node): ReadonlyArray<Node> => [
  node,
  ...Object.values(node).flatMap((v: unknown) => Array.isArray(v) ? v : [v]).filter(isNode).flatMap(nodesOf)
]

const parsed = (path: string, text: string): ReadonlyArray<Node> => nodesOf(parseAst(text, { lang: "ts" }, path))

export interface Import {
  readonly from: string
  /** A path from the root for a file of ours; the package or node module elsewhere. */
  readonly to: string
  readonly own: boolean
}

/** Static and dynamic imports, re-exports and types of other files: whatever one file knows of another. */
export const importsOf = (sources: Sources): ReadonlyArray<Import> =>
  Object.entries(sources).flatMap(([from, text]) =>
    parsed(from, text).flatMap((node) => {
      if (!/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$|^TSImportType$/.test(node.type)) return []
      const { source } = node as Node & { readonly source?: { readonly value?: unknown } | null }
      if (typeof source?.value !== "string") return []
      const own = source.value.startsWith(".")
      return [{ from, to: own ? posix.join(posix.dirname(from), source.value) : source.value, own }]
    })
  )

/** The parts of `files` that import each other, each sorted. */
export const cyclesOf = (imports: ReadonlyArray<Import>): ReadonlyArray<ReadonlyArray<string>> => {
  const next = Map.groupBy(imports.filter((i) => i.own), (i) => i.from)
  const reachable = (from: string, seen = new Set<string>()): ReadonlySet<string> => {
    for (const { to } of next.get(from) ?? []) if (!seen.has(to)) reachable(to, seen.add(to))
    return seen
  }
  const reach = new Map([...next.keys()].map((file) => [file, reachable(file)]))
  const inCycle = [...reach].filter(([file, seen]) => seen.has(file)).map(([file]) => file)
  const groups = Map.groupBy(inCycle, (a) => inCycle.filter((b) => reach.get(a)!.has(b) && reach.get(b)!.has(a)).join())
  return [...groups.values()].map((group) => group.toSorted())
}

export interface Measured {
  /** Path and line. */
  readonly at: string
  readonly lines: number
}

/** Functions of more than one line: the others are expressions with a parameter, and would only flatter the budget. */
export const functionsOf = (sources: Sources): ReadonlyArray<Measured> =>
  Object.entries(sources).flatMap(([path, text]) =>
    parsed(path, text)
      .filter(({ type }) => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type))
      .map(({ end, start }) => ({
        at: `${path}:${text.slice(0, start).split("\n").length}`,
        lines: text.slice(start, end).split("\n").length
      }))
      .filter(({ lines }) => lines > 1)
  )

/** The value that a share `p` of the values does not exceed. */
export const quantile = (values: ReadonlyArray<number>, p: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(p * values.length) - 1)] ?? 0
