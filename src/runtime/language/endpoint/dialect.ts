/**
 * What an endpoint understands of the chat completions interface: how it is asked for JSON, and how the length of an
 * answer is limited. The first form is tried first; a refusal that names it leads to the next one, which is remembered.
 */
import * as Schema from "effect/Schema"

/** How JSON is asked for: by its schema, as any object, as the arguments of a tool, or by the instructions alone. */
export const levels = ["json_schema", "json_object", "tool", "text"] as const
/** Fields for the greatest length of an answer: most servers know the first, newer models take only the second. */
export const limits = ["max_tokens", "max_completion_tokens"] as const

/** What an endpoint is known to understand. */
export const Dialect = Schema.Struct({ level: Schema.Literals(levels), limit: Schema.Literals(limits) })
/** What an endpoint is known to understand. */
export type Dialect = typeof Dialect.Type

/** What is tried first. */
export const first: Dialect = { level: levels[0], limit: limits[0] }

/** The parts of a request that a refusal may name, by level. */
const named = {
  json_schema: /response_format|json_schema|structured|guided|grammar|schema/i,
  json_object: /response_format|json_object|json mode/i,
  tool: /tool|function/i
} as const

const nextOf = <A>(all: ReadonlyArray<A>, own: A): A | undefined => all[all.indexOf(own) + 1]

/** What to try after a refusal; `undefined` if it is not about the form of the request. */
export const after = ({ level, limit }: Dialect, json: boolean, refusal: string): Dialect | undefined => {
  if (limit === "max_tokens" && refusal.includes("max_completion_tokens")) {
    return { level, limit: nextOf(limits, limit)! }
  }
  const next = nextOf(levels, level)
  return json && level !== "text" && next !== undefined && named[level].test(refusal)
    ? { level: next, limit }
    : undefined
}
