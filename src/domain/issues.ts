/** What a schema finds wrong with a value: a line a problem, each with its path, by Effect's own account of it. */
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { cut } from "./brief.ts"

export interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  /** "expected a value greater than or equal to 1" */
  readonly reason: string
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const keyOf = (part: unknown): PropertyKey =>
  typeof part === "object" && part !== null && "key" in part ? part.key as PropertyKey : part as PropertyKey
const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

/** In one line; that a key may be left out is no value to expect. */
const plain = (message: string): string => message.replaceAll(" | undefined", "").replace(/\s+/g, " ")

export const issuesOf = ({ issue }: Schema.SchemaError): ReadonlyArray<Issue> =>
  format(issue).issues.map(({ message, path = [] }) => ({
    path: path.map(keyOf),
    reason: message === "Missing key" ? "is missing" : lowered(cut(plain(message), 200))
  }))

/** `rope_scaling.factor`, `layer_types[3]`. */
export const pathText = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`
    return text === "" ? cut(String(part)) : `${text}.${cut(String(part))}`
  }, "")

/** The same as lines. */
export const problemsOf = (error: Schema.SchemaError): ReadonlyArray<string> =>
  issuesOf(error).map(({ path, reason }) => path.length === 0 ? reason : `${pathText(path)}: ${reason}`)
