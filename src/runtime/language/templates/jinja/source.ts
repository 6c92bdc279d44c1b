/** Compiles templates; refuses source that the library accepts but Jinja does not, or that they parse differently. */
import { type Node, parse, type Token, tokenize, type Value } from "./library.ts"
import { filters, tests } from "./names.ts"
import { bound, leaked, strangersOf, walk } from "./scopes.ts"
import { refuse } from "./values.ts"

/** Roles of nodes in their context. */
export interface Roles {
  /** Expressions whose text is rendered. */
  readonly printed: ReadonlySet<Node>
  /** Expressions that are iterated once or made a list. */
  readonly consumed: ReadonlySet<Node>
  /** The first node of each loop body, with the names that each iteration starts with. */
  readonly firsts: ReadonlyMap<Node, ReadonlySet<string>>
  /** Names in macros that are undefined there in Jinja. */
  readonly strangers: ReadonlySet<Node>
}

/** Context for evaluating a node: `evaluate` for its parts, `usual` for the library's own evaluation. */
export interface Run {
  readonly evaluate: (node: Node) => Value
  readonly usual: (node: Node) => Value
  readonly roles: Roles
}

export interface Template {
  readonly program: Node
  readonly roles: Roles
}

const options = { lstrip_blocks: true, trim_blocks: true }

/** Whitespace in only one of the two languages, and what the library takes for comment delimiters. */
// oxlint-disable-next-line no-control-regex -- white space to Python
// oxlint-disable-next-line no-control-regex -- they are white space
const strangeSpace = /[\x1c-\x1f\x85\ufeff\u2028\u2029]/
const ambiguous: ReadonlyArray<readonly [RegExp, string]> = [
  [strangeSpace, "such white space"],
  [/\\u[dD][89a-fA-F]/, "half a character"],
  [/^[ \t]+\{-|-\}\n/m, "{- or -} at the end of a line"]
]

const isOperand = ({ type }: Token): boolean =>
  ["NumericLiteral", "StringLiteral", "Identifier", "OpenCurlyBracket"].includes(type)
const endsOperand = ({ type }: Token): boolean =>
  ["NumericLiteral", "StringLiteral", "Identifier", "CloseParen", "CloseSquareBracket", "CloseCurlyBracket"].includes(
    type
  )
const words: ReadonlySet<string> = new Set(["and", "else", "if", "in", "is", "not", "or"])
const isWord = ({ type, value }: Token): boolean => type === "Identifier" && words.has(value)

/** Detects a missing comma, which the library ignores. */
const lacksComma = (tokens: ReadonlyArray<Token>): boolean =>
  tokens.some((token, i) => {
    const [before, two] = [tokens[i - 1], tokens[i - 2]]
    const named = two?.type === "Pipe" || two?.value === "is" || (two?.value === "not" && tokens[i - 3]?.value === "is")
    if (token.type === "OpenSquareBracket" && named) return true
    if (
      before?.type === "Identifier" && named && two.type !== "Pipe" && ["if", "in", "is", "not"].includes(token.value)
    ) return true
    if (before?.type === "Dot" && /^[-+]/.test(token.value)) return true
    if (before === undefined || !isOperand(token) || !endsOperand(before)) return false
    if (isWord(token) || isWord(before) || two?.type === "OpenStatement") return false
    return token.type !== "StringLiteral" || before.type !== "StringLiteral"
  })

/** Detects a superfluous comma. */
const doublesComma = (tokens: ReadonlyArray<Token>): boolean =>
  tokens.some(({ type }, i) =>
    type === "Comma" &&
    ["OpenParen", "OpenSquareBracket", "OpenCurlyBracket", "Comma"].includes(tokens[i - 1]?.type ?? "")
  )

/** Tokens that end a comparison, or separate it from another. */
const bounds: ReadonlySet<string> = new Set(["and", "or", "if", "elif", "else", ",", "=", ":"])

/** Detects chained comparisons, which Python joins by "and". */
const chains = (tokens: ReadonlyArray<Token>): boolean => {
  /** Whether there was a comparison in each enclosing bracket, and whether a loop's "in" is still to come. */
  const around: Array<boolean> = []
  let [compared, target] = [false, false]
  return tokens.some(({ type, value }, i) => {
    if (type === "StringLiteral" || type === "Text" || type === "Comment") return false
    if (type === "OpenStatement") target = tokens[i + 1]?.value === "for"
    if (type.startsWith("Open")) {
      around.push(compared)
      compared = false
    } else if (type.startsWith("Close")) compared = around.pop() ?? false
    else if (bounds.has(value)) compared = false
    else if (value === "in" && target) target = false
    else if (value === "in" || type === "ComparisonBinaryOperator") {
      if (compared) return true
      compared = true
    }
    return false
  })
}

/** Detects unbracketed conditional expressions as a condition or as the iterable of a loop. */
const choices = (tokens: ReadonlyArray<Token>): boolean => {
  let [depth, bare] = [0, ""]
  return tokens.some(({ type, value }, i) => {
    const word = tokens[i + 1]?.value ?? ""
    if (type === "OpenStatement") {
      ;[depth, bare] = [0, word === "for" ? "else" : word === "if" || word === "elif" ? "if" : ""]
    } else if (type === "CloseStatement") bare = ""
    else if (type.startsWith("Open")) depth++
    else if (type.startsWith("Close")) depth--
    return type === "Identifier" && value === bare && depth === 0 && tokens[i - 1]?.type !== "OpenStatement"
  })
}

const count = (text: string, of: RegExp): number => text.match(of)?.length ?? 0
const generation = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g

/** Parses tokens; the library throws a TypeError if a template ends early. */
const parsed = (tokens: ReadonlyArray<Token>): Node => {
  try {
    return parse(tokens)
  } catch (cause) {
    throw cause instanceof TypeError ? new Error("ends within a tag or a block", { cause }) : cause
  }
}

/** Refuses unbalanced generation tags, and variables set in one but used outside, where Jinja discards them. */
const checkGenerations = (text: string): void => {
  if (count(text, generation) === 0) return
  const calls = text.replace(
    generation,
    (_, left, end, right) => end ? `{%${left} endcall ${right}%}` : `{%${left} call generation() ${right}%}`
  )
  const name = leaked(parsed(tokenize(calls, options)))
  if (name !== undefined) refuse(`${name}, which is set in a generation,`)
}

const statements: ReadonlySet<string> = new Set([
  "Break",
  "CallStatement",
  "Comment",
  "Continue",
  "FilterStatement",
  "For",
  "If",
  "Macro",
  "Set"
])

const filterName = ({ filter }: Node): string => {
  if (filter.type === "Identifier") return filter.value
  const isCall = filter.type === "CallExpression" && filter.callee.type === "Identifier"
  return isCall ? filter.callee.value : refuse("an item of what a filter gives")
}

const constants: ReadonlySet<string> = new Set(["False", "None", "True", "false", "none", "true"])

/** Refuses invalid assignment targets. */
const checkTarget = (target: Node): void => {
  if (target.type === "TupleLiteral") target["value"].forEach(checkTarget)
  else if (target.type === "MemberExpression") {
    if (target["object"].type !== "Identifier" || target["computed"] || target["property"].type !== "Identifier") {
      refuse("such an assignment")
    }
  } else if (target.type !== "Identifier" || constants.has(target["value"])) refuse("such an assignment")
}

const consumers: ReadonlySet<string> = new Set(["first", "join", "list"])

const rolesOf = (program: Node, more: ReadonlySet<string>): Roles => {
  const [printed, consumed, firsts] = [new Set<Node>(), new Set<Node>(), new Map<Node, ReadonlySet<string>>()]
  walk(program, (node) => {
    for (const body of [node["body"], node["alternate"], node["defaultBlock"]]) {
      if (Array.isArray(body)) {
        for (const own of body as ReadonlyArray<Node>) if (!statements.has(own.type)) printed.add(own)
      }
    }
    if (node.type === "For") {
      const { body, iterable, loopvar } = node as Node & { readonly body: ReadonlyArray<Node> }
      consumed.add(iterable.type === "SelectExpression" ? iterable.lhs : iterable)
      if (body[0]) firsts.set(body[0], new Set([...bound(loopvar), "loop", "namespace"]))
    }
    if (node.type === "FilterExpression") {
      if (!filters.has(filterName(node)) && !more.has(filterName(node))) refuse(`the filter ${filterName(node)}`)
      if (consumers.has(filterName(node))) consumed.add(node["operand"])
    }
    if (node.type === "Set") checkTarget(node["assignee"])
    if (node.type === "For") checkTarget(node["loopvar"])
    if (node.type === "TestExpression" && !tests.has(node["test"].value)) refuse(`the test ${node["test"].value}`)
  })
  return { printed, consumed, firsts, strangers: strangersOf(program) }
}

/** How a template is read. */
export interface Reading {
  /** Whether blanks before and the line's end after a tag are left out. */
  readonly trims: boolean
  /** Filters besides Jinja's. */
  readonly filters: ReadonlySet<string>
}

/** How chat templates are read. */
const chats: Reading = { trims: true, filters: new Set() }

/** Compiles a template. @throws Error if it is invalid or unsupported. */
export const compile = (source: string, reading: Reading = chats): Template => {
  const text = source.replaceAll(/\r\n?/g, "\n")
  for (const [pattern, what] of ambiguous) if (pattern.test(text)) refuse(what)
  const tokens = tokenize(text, { lstrip_blocks: reading.trims, trim_blocks: reading.trims })
  const closed = (type: string) => tokens.filter((token) => token.type === type).length
  if (count(text, /%\}/g) !== closed("CloseStatement") + count(text, generation)) refuse("%} outside of a tag")
  if (count(text, /#\}/g) !== closed("Comment")) refuse("#} outside of a comment")
  if (lacksComma(tokens) || doublesComma(tokens)) refuse("a list without commas")
  if (choices(tokens)) refuse("a choice without brackets")
  if (chains(tokens)) refuse("a chain of comparisons")
  checkGenerations(text)
  const program = parsed(tokens)
  return { program, roles: rolesOf(program, reading.filters) }
}
