/** Schema errors of a value, one line each with its path, derived from Effect's own issues. */
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { brief, cut } from "./brief.ts"

/** An invalid part of a value, and the reason. */
export interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  /**
   * "Type": a value of the wrong type, with a reason such as "expected a value greater than or equal to 1". "Own": the
   * message of a custom check, such as "is no whole number". "Missing" and "Unknown": concern only the key.
   */
  readonly kind: "Type" | "Own" | "Missing" | "Unknown"
  /** On one line. */
  readonly reason: string
}

/** Prefixes that mark messages that are not Effect's own; no text of a schema begins with them. */
const marks = { Own: "\u0001", Missing: "\u0002", Unknown: "\u0003" } as const

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return `${marks.Missing}is missing`
    return issue._tag === "UnexpectedKey" ? `${marks.Unknown}is no key here` : SchemaIssue.defaultLeafHook(issue)
  },
  checkHook: (issue) => {
    const own = SchemaIssue.defaultCheckHook(issue)
    return own === undefined ? undefined : `${marks.Own}${own}`
  }
})
const kinds = Object.keys(marks) as ReadonlyArray<keyof typeof marks>

const keyOf = (part: unknown): PropertyKey =>
  typeof part === "object" && part !== null && "key" in part ? part.key as PropertyKey : part as PropertyKey
const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

const plain = (message: string): string => cut(message.replace(/\s+/g, " "), 200)

const told = (message: string): Pick<Issue, "kind" | "reason"> => {
  const kind = kinds.find((own) => message.startsWith(marks[own]))
  if (kind === undefined) return { kind: "Type", reason: lowered(plain(message)) }
  return { kind, reason: plain(message.slice(marks[kind].length)) }
}

/** All schema errors of a value, in field order. */
export const issuesOf = ({ issue }: Schema.SchemaError): ReadonlyArray<Issue> =>
  format(issue).issues.map(({ message, path = [] }) => {
    const { kind, reason } = told(message)
    return { path: path.map(keyOf), kind, reason }
  })

/** The key, quoted if it contains blanks, quotes or control characters. */
const shown = (key: string): string => /[\s"\p{C}]/u.test(key) ? brief(key) : cut(key)

/** `rope_scaling.factor`, `layer_types[3]`. */
export const pathText = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`
    return text === "" ? shown(String(part)) : `${text}.${shown(String(part))}`
  }, "")

/** The same issues as lines. */
export const problemsOf = (error: Schema.SchemaError): ReadonlyArray<string> =>
  issuesOf(error).map(({ path, reason }) => path.length === 0 ? reason : `${pathText(path)}: ${reason}`)
