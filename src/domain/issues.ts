/** What a schema finds wrong with a value: a line a problem, each with its path, by Effect's own account of it. */
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { cut } from "./brief.ts"

/** A part of a value that is wrong, and what is wrong with it. */
export interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  /** "expected a value greater than or equal to 1" */
  readonly reason: string
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const keyOf = (part: unknown): PropertyKey =>
  typeof part === "object" && part !== null && "key" in part ? part.key as PropertyKey : part as PropertyKey
const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

/** In one line, without the values that no file can hold. */
const plain = (message: string): string => {
  if (message === "Missing key") return "is missing"
  if (/^expected no excess property$/i.test(message)) return "is no key here"
  return lowered(cut(message.replace(/\s+/g, " ").replaceAll(" | undefined", ""), 200))
}

/** What a schema finds wrong with a value, in the order of its fields. */
export const issuesOf = ({ issue }: Schema.SchemaError): ReadonlyArray<Issue> =>
  format(issue).issues.map(({ message, path = [] }) => ({
    path: path.map(keyOf),
    reason: plain(message)
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
