/** Templates over the fields of a record, as lm-evaluation-harness sets Jinja: what is not defined is an error. */
import { quoted } from "../../../../domain/pythonLiteral.ts"
import { limited } from "../../../files/timeLimit.ts"
import { PythonInterpreter } from "./interpreter.ts"
import { Environment, type Node, type Value } from "./library.ts"
import { walk } from "./scopes.ts"
import { compile, type Template } from "./source.ts"
import { kindOf, made, refuse, textOf } from "./values.ts"

/** A template fails on a record, or cannot be read. */
export class TemplateError extends Error {
  override readonly name = "TemplateError"
}

/** Milliseconds for one text. */
const PATIENCE = 4000

const reading = { trims: false, filters: new Set(["regex_replace"]) }

/** What is looked at, but may be undefined: operands of `is defined` and of the filter default. */
const tolerant = (program: Node): ReadonlySet<Node> => {
  const nodes = new Set<Node>()
  walk(program, (node) => {
    const name = node.type === "TestExpression"
      ? node["test"].value
      : node.type === "FilterExpression"
      ? node["filter"].value ?? node["filter"].callee?.value
      : undefined
    if (["defined", "undefined", "default", "d"].includes(name)) nodes.add(node["operand"])
  })
  return nodes
}

/** A value as Python prints it, lists and mappings included. */
const printed = (value: Value): string => {
  const kind = kindOf(value)
  if (kind === "list") return `[${(value.value as ReadonlyArray<Value>).map(spelled).join(", ")}]`
  if (kind === "map") {
    const entries = [...(value.value as ReadonlyMap<string, Value>)]
    return `{${entries.map(([key, own]) => `${quoted(key)}: ${spelled(own)}`).join(", ")}}`
  }
  return kind === "float" ? String(value.value) : textOf(value)
}
const spelled = (value: Value): string => kindOf(value) === "text" ? quoted(String(value.value)) : printed(value)

/** How undefined names are named. */
const nameOf = (node: Node): string =>
  node.type === "Identifier" ? String(node["value"]) : String(node["property"]?.value ?? "an item")

class StrictInterpreter extends PythonInterpreter {
  private readonly may: ReadonlySet<Node>
  private readonly prints: ReadonlySet<Node>
  constructor(variables: Environment, { roles }: Template, may: ReadonlySet<Node>) {
    /** What is printed is made a text here. */
    super(variables, { ...roles, printed: new Set() })
    this.may = may
    this.prints = roles.printed
  }
  override evaluate(node: Node | undefined, environment: Environment): Value {
    const value = super.evaluate(node, environment)
    if (node === undefined) return value
    const reads = node.type === "Identifier" || node.type === "MemberExpression"
    if (reads && kindOf(value) === "undefined" && !this.may.has(node)) {
      refuse(`${nameOf(node)}, which the record lacks,`)
    }
    return this.prints.has(node) ? made(printed(value)) : value
  }
}

/** A template over records. */
export interface RecordTemplate {
  /** @throws TemplateError if it fails on the record. */
  readonly render: (fields: Readonly<Record<string, unknown>>) => string
}

const globals = { true: true, false: false, none: null, True: true, False: false, None: null }

const tried = <A>(work: () => A): A => {
  try {
    return limited(PATIENCE, work)
  } catch (cause) {
    throw new TemplateError((cause as Error).message, { cause })
  }
}

/** Reads a template. @throws TemplateError if it is invalid or has what is not supported here. */
export const recordTemplate = (source: string): RecordTemplate => {
  /** The library drops a line feed at the end. */
  const template = tried(() => compile(source.endsWith("\n") ? `${source}\n` : source, reading))
  const may = tolerant(template.program)
  return {
    render: (fields) =>
      tried(() => {
        const environment = new Environment()
        for (const [name, value] of Object.entries({ ...globals, ...fields })) environment.set(name, value)
        return textOf(new StrictInterpreter(environment, template, may).run(template.program))
      })
  }
}
