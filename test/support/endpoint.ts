/** A server on this machine that speaks the chat completions interface; faults are asked for by request. */
import * as Effect from "effect/Effect"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A message as it arrives. */
export interface Message {
  readonly role: string
  readonly content: string
}

/** A request as it arrives. */
export interface Seen {
  readonly path: string
  readonly key: string | undefined
  readonly body: Readonly<Record<string, any>> & { readonly messages: ReadonlyArray<Message> }
}

/** What a request meets in place of its answer: a status, a body as it is, or no more than a part of one. */
export interface Fault {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The whole body; an object is sent as JSON. */
  readonly body?: unknown
  /** The connection breaks after as many bytes of the body. */
  readonly cut?: number
  /** Nothing comes. */
  readonly stall?: boolean
  /** Fields in place of those of the one choice. */
  readonly choice?: object
}

export interface Endpoint {
  readonly base: string
  readonly seen: ReadonlyArray<Seen>
  /** The next requests meet these faults, one each; `undefined` is the answer. */
  readonly fail: (...faults: ReadonlyArray<Fault | undefined>) => void
  /** How many requests were in the server at once at most. */
  readonly most: () => number
}

const completion = (model: string, text: string, choice: object) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: `${model}-0125`,
  system_fingerprint: "fp_ours",
  choices: [{
    index: 0,
    finish_reason: "stop",
    message: { role: "assistant", content: text, refusal: null },
    ...choice
  }],
  usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 }
})

const send = (response: ServerResponse, { body, cut, headers, status = 200 }: Fault) => {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers
  })
  if (cut === undefined) return response.end(text)
  return response.write(text.slice(0, cut), () => response.destroy())
}

/** What the model answers, by the request's last message. */
export type Mind = (seen: Seen) => string | Fault

const listening = (mind: Mind) =>
  new Promise<Endpoint & { readonly close: () => void }>((done) => {
    const [seen, faults] = [new Array<Seen>(), new Array<Fault | undefined>()]
    let [inside, most] = [0, 0]
    const server = createServer((request, response) => {
      let text = ""
      most = Math.max(most, ++inside)
      response.on("close", () => inside--)
      request.on("data", (bytes: Buffer) => void (text += bytes.toString()))
      request.on("end", () => {
        const key = request.headers.authorization?.replace("Bearer ", "")
        const own: Seen = { path: request.url!, key, body: JSON.parse(text) }
        seen.push(own)
        const said = faults.shift() ?? mind(own)
        const fault: Fault = typeof said === "string" ? {} : said
        if (fault.stall) return
        const usual = completion(
          String(own.body["model"]),
          typeof said === "string" ? said : "fine",
          fault.choice ?? {}
        )
        send(response, { ...fault, body: fault.body ?? (fault.status === undefined ? usual : { error: {} }) })
      })
    })
    server.listen(0, "127.0.0.1", () =>
      done({
        base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
        seen,
        fail: (...own) => void faults.push(...own),
        most: () => most,
        close: () => {
          server.closeAllConnections()
          server.close()
        }
      }))
  })

/** Starts the server, until the scope ends. */
export const start = (mind: Mind = ({ body }) => `answer to: ${body.messages.at(-1)!.content}`) =>
  Effect.acquireRelease(Effect.promise(() => listening(mind)), ({ close }) => Effect.sync(close))

/** The error that OpenAI's servers send. */
export const error = (message: string, code: string | null = null, type = "invalid_request_error") => ({
  error: { message, type, param: null, code }
})
