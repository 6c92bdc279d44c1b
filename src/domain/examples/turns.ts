/** Messages of chats in users' records: OpenAI's `role` and `content`, or sharegpt's `from` and `value`. */
import { type Fields, type Notes, RecordError, show, wellFormed } from "../records/fields.ts"

/** A message. */
export interface Turn {
  readonly role: string
  readonly content: string
  /** Calls of tools, as the template prints them. */
  readonly tool_calls?: ReadonlyArray<unknown>
}

/** Sharegpt's names of roles. */
const roles: Readonly<Record<string, string>> = {
  human: "user",
  gpt: "assistant",
  observation: "tool",
  bot: "assistant"
}
const known: ReadonlySet<string> = new Set(["system", "user", "assistant", "tool", "developer"])
const fields: ReadonlySet<string> = new Set(["role", "from", "content", "value", "tool_calls"])

/** Whether a value is a list of messages. */
export const isTurns = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const roleOf = (at: string, given: unknown): string => {
  if (typeof given !== "string") {
    throw new RecordError(`${at}.role`, `is missing; a message has a role, got ${show(given)}`)
  }
  if (given === "function_call") {
    throw new RecordError(`${at}.from`, "function_call is not read: write tool_calls of an assistant's message")
  }
  const role = roles[given] ?? given
  if (!known.has(role)) {
    throw new RecordError(
      `${at}.role`,
      `"${given}" is no role; there are ${[...known, ...Object.keys(roles)].join(", ")}`
    )
  }
  return role
}

/** A text, or parts that are texts. */
const contentOf = (at: string, given: unknown, calls: boolean): string => {
  if (typeof given === "string") return given
  if ((given === null || given === undefined) && calls) return ""
  if (!Array.isArray(given)) throw new RecordError(`${at}.content`, `a text is expected, got ${show(given)}`)
  return given.map((part: unknown, i) => {
    const { text, type } = Object(part) as Fields
    if (type !== "text" || typeof text !== "string") {
      throw new RecordError(
        `${at}.content.${i}`,
        "only parts of type text are read: texts to learn have no pictures yet, questions may have them"
      )
    }
    return text
  }).join("")
}

const turnOf = (name: string, notes: Notes) => (given: unknown, i: number): Turn => {
  const at = `${name}.${i}`
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new RecordError(at, `a message is expected, got ${show(given)}`)
  }
  const own = given as Fields
  for (const field of Object.keys(own)) if (!fields.has(field)) notes.unused(`${name}.${field}`)
  const calls = own["tool_calls"]
  if (calls !== undefined && calls !== null && !Array.isArray(calls)) {
    throw new RecordError(`${at}.tool_calls`, `a list is expected, got ${show(calls)}`)
  }
  const called = Array.isArray(calls) && calls.length > 0
  const role = roleOf(at, own["role"] ?? own["from"])
  if (called && role !== "assistant") throw new RecordError(`${at}.tool_calls`, "are the assistant's alone")
  const content = wellFormed(contentOf(at, own["content"] ?? own["value"], called), notes)
  return { role, content, ...(called ? { tool_calls: calls } : {}) }
}

/** The messages of a field. @throws RecordError if one is none, or if there is none */
export const turnsOf = (name: string, given: unknown, notes: Notes): ReadonlyArray<Turn> => {
  if (!isTurns(given)) throw new RecordError(name, `a list of messages is expected, got ${show(given)}`)
  if (given.length === 0) throw new RecordError(name, "has no message")
  return given.map(turnOf(name, notes))
}
