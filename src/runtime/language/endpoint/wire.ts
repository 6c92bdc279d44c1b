/** The chat completions interface: requests as JSON bodies, and answers read strictly. */
import { brief, cut } from "../../../domain/brief.ts"
import { canonical } from "../../../domain/texts/canonical.ts"
import { sha256 } from "../../files/disk.ts"
import { about, type Answer, type Format, type Turn, type WriteRequest } from "../../ports/Writer.ts"
import { parsed, withInstructions } from "../structured.ts"
import type { Dialect } from "./dialect.ts"

/** What is the same in all requests to an endpoint. */
export interface Sampling {
  readonly model: string
  /** Left to the endpoint if `undefined`. */
  readonly temperature: number | undefined
  readonly top_p: number | undefined
  readonly seed: number
}

const asTool = ({ name, schema }: Format) => ({
  tools: [{ type: "function", function: { name, description: "Takes the answer.", parameters: schema } }],
  tool_choice: { type: "function", function: { name } }
})

/** How a request asks for JSON, beside its messages. */
const formatOf = (format: Format | undefined, { level }: Dialect): object => {
  if (format === undefined || level === "text") return {}
  if (level === "tool") return asTool(format)
  if (level === "json_object") return { response_format: { type: "json_object" } }
  return { response_format: { type: "json_schema", json_schema: { ...format, strict: true } } }
}

const messageOf = ({ role, text }: Turn) => ({ role, content: text })

/** The body of a request. The seed of another sample is another one, as some servers draw by it alone. */
export const bodyOf = (sampling: Sampling, request: WriteRequest, dialect: Dialect) => {
  const { format, max_tokens, sample = 0, turns } = request
  const spelled = dialect.level === "json_object" || dialect.level === "text"
  return {
    model: sampling.model,
    messages: (format && spelled ? withInstructions(turns, format) : turns).map(messageOf),
    temperature: sampling.temperature,
    top_p: sampling.top_p,
    seed: sampling.seed + sample,
    [dialect.limit]: max_tokens,
    ...formatOf(format, dialect)
  }
}
/** The body of a request. */
export type Body = ReturnType<typeof bodyOf>

/** Version of what is kept of an answer, part of its key. */
const VERSION = 1

/** SHA-256 of all that an answer depends on: where it is asked for, what, and which sample it is. */
export const keyOf = (address: string, body: object, sample: number): string =>
  sha256(canonical({ v: VERSION, address, sample, body }))

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields => typeof value === "object" && value !== null ? value as Fields : {}

/** What an endpoint says of an error: its message, and its codes. */
export const errorOf = (text: string): { readonly said: string; readonly codes: ReadonlyArray<string> } => {
  const body = fieldsOf(parsed(text))
  const error = typeof body["error"] === "string" ? { message: body["error"] } : fieldsOf(body["error"])
  const own = [error["message"], body["message"], body["detail"]].find((one) => typeof one === "string")
  const said = cut(String(own ?? text).replace(/\s+/g, " ").trim(), 500)
  return { said, codes: [error["code"], error["type"], body["code"], body["type"]].map(String) }
}

/** An answer that cannot be used: `again` if another try may help. */
export interface Unusable {
  readonly reason: string
  readonly again: boolean
}

/** The text of a message's content: a string, or parts. */
const contentOf = (content: unknown): string | undefined => {
  if (typeof content === "string") return content
  if (content === null || content === undefined) return ""
  if (!Array.isArray(content)) return undefined
  const texts = content.map((part) => fieldsOf(part)["text"])
  return texts.every((one) => typeof one === "string") ? texts.join("") : undefined
}

const argumentsOf = (message: Fields): string | undefined => {
  const [call] = Array.isArray(message["tool_calls"]) ? message["tool_calls"] as ReadonlyArray<unknown> : []
  const own = fieldsOf(fieldsOf(call)["function"])["arguments"]
  return typeof own === "string" ? own : own === undefined ? undefined : JSON.stringify(own)
}

const countOf = (value: unknown, otherwise: number): number =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : otherwise

/** Why the answer ended; a reason that is not known is none. */
const endOf = (reason: unknown): Answer["end"] | undefined => {
  if (reason === "stop" || reason === "tool_calls" || reason === "function_call") return "stop"
  if (reason === "length") return "length"
  return reason === "content_filter" ? "refused" : undefined
}

/** Reads the body of a response to a request. */
export const answerOf = (
  text: string,
  request: WriteRequest,
  model: string
): Omit<Answer, "request_key"> | Unusable => {
  const body = fieldsOf(parsed(text))
  const [choice] = Array.isArray(body["choices"]) ? body["choices"] as ReadonlyArray<unknown> : []
  const message = fieldsOf(fieldsOf(choice)["message"])
  if (choice === undefined && body["error"] !== undefined) return { reason: errorOf(text).said, again: true }
  const content = argumentsOf(message) ?? contentOf(message["content"])
  if (fieldsOf(choice)["message"] === undefined || content === undefined) {
    return { reason: `what came is no chat completion: ${brief(cut(text, 200), 120)}`, again: true }
  }
  const refusal = typeof message["refusal"] === "string" ? message["refusal"] : ""
  const reason = fieldsOf(choice)["finish_reason"]
  const end = refusal === "" ? endOf(reason) : "refused"
  if (end === undefined) {
    const known = reason === null || reason === undefined
    return { reason: known ? "the answer was cut off" : `the answer ended for ${brief(reason)}`, again: known }
  }
  const [usage, asked] = [fieldsOf(body["usage"]), request.turns.reduce((sum, { text }) => sum + text.length, 0)]
  return {
    text: content,
    end,
    refusal: refusal || (end === "refused" ? "content_filter" : ""),
    model: typeof body["model"] === "string" && body["model"] !== "" ? body["model"] : model,
    fingerprint: typeof body["system_fingerprint"] === "string" ? body["system_fingerprint"] : null,
    usage: {
      input: countOf(usage["prompt_tokens"], about(asked)),
      output: countOf(usage["completion_tokens"], about(content.length))
    }
  }
}
