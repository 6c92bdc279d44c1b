/** Types for the template library, whose own declarations do not resolve. */
import * as library from "@huggingface/jinja"

export interface Value {
  readonly type: string
  readonly value: unknown
}

/** A node of a syntax tree. */
export type Node = { readonly type: string } & Readonly<Record<string, any>>

export interface Token {
  readonly type: string
  readonly value: string
}

/** Variables of a scope. */
export interface Environment {
  readonly variables: Map<string, Value>
  /** Declares a variable with a plain value; returns the wrapped value. */
  readonly set: (name: string, value: unknown) => Value
}

interface Library {
  readonly Environment: new() => Environment
  readonly Interpreter: new(environment: Environment) => {
    evaluate(node: Node | undefined, environment: Environment): Value
    run(program: Node): Value
  }
  readonly parse: (tokens: ReadonlyArray<Token>) => Node
  readonly tokenize: (
    source: string,
    options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean }
  ) => ReadonlyArray<Token>
}

export const { Environment, Interpreter, parse, tokenize } = library as unknown as Library
