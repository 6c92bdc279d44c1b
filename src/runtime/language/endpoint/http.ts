/** One request to an endpoint, made again where that may help, and its refusals explained. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Key from "../../../domain/Key.ts"
import { causeOf, retryAfter } from "../../files/http.ts"
import { EndpointRefused, RequestFailed, RequestRejected } from "../../ports/Writer.ts"
import { type Gate, usedUp } from "./gate.ts"
import { errorOf } from "./wire.ts"

/** A request failed, and may succeed if it is made again, not before `after` seconds if the endpoint says so. */
export class Again extends Schema.TaggedError<Again>()("Again", {
  reason: Schema.String,
  after: Schema.optional(Schema.Finite)
}) {}

/** The endpoint does not take the form of a request (400 or 422). */
export class Misunderstood extends Schema.TaggedError<Misunderstood>()("Misunderstood", { said: Schema.String }) {}

/** How an endpoint is reached. */
export interface Line {
  readonly base: string
  readonly url: string
  readonly key: Redacted.Redacted | undefined
  readonly model: string
  readonly seed: number
  /** Milliseconds for a whole answer. */
  readonly timeout: number
  /** How often a request is made again at most. */
  readonly retries: number
  /** Milliseconds of the first pause. */
  readonly pause: number
  readonly gate: Gate
}

/** A response, whole. */
interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/** A text of the endpoint without our key, which some servers repeat. */
const scrubbed = ({ key }: Line, text: string): string =>
  key === undefined ? text : text.replaceAll(Redacted.value(key), "***")

const send = Effect.fnUntraced(function*(line: Line, body: string) {
  const { key, url } = line
  const client = yield* HttpClient.HttpClient
  const plain = HttpClientRequest.post(url).pipe(
    HttpClientRequest.setHeader("user-agent", "anamnesis"),
    HttpClientRequest.bodyText(body, "application/json")
  )
  const response = yield* client.execute(key === undefined ? plain : HttpClientRequest.bearerToken(plain, key))
  return { status: response.status, headers: response.headers, text: yield* response.text } as Response
}, (effect, { timeout }) =>
  effect.pipe(
    Effect.mapError((error) =>
      new Again({ reason: `cannot be reached, or the connection was lost (${causeOf(error)})` })
    ),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(new Again({ reason: `gives no whole answer within ${timeout / 1000} s` }))
    }),
    Effect.provideService(HttpClient.TracerPropagationEnabled, false)
  ))

const isTransient = (status: number): boolean => [408, 409, 429].includes(status) || status >= 500

/** Seconds to wait by the headers of a refusal. */
const waitOf = (headers: Response["headers"]): number | undefined => {
  const precise = headers["retry-after-ms"]
  if (precise !== undefined && /^\d+(?:\.\d+)?$/.test(precise)) return Number(precise) / 1000
  return retryAfter(headers["retry-after"] ?? "")
}

/** What a refusal means. */
const refusalOf = (line: Line, { headers, status, text }: Response) => {
  const { codes, said: raw } = errorOf(text)
  const said = scrubbed(line, raw)
  const words = `answers ${status}${said === "" ? "" : `: ${said}`}`
  const stop = (kind: EndpointRefused["kind"], reason: string) =>
    new EndpointRefused({ endpoint: line.base, kind, reason })
  if (status === 401 || status === 403) {
    const whose = line.key === undefined ? "no key was sent: set one in the environment" : "it does not accept the key"
    return stop("denied", `${words}; ${whose}`)
  }
  if (status === 404) return stop("absent", `${words}; is the address right (.../v1), and is there a ${line.model}?`)
  if (status === 429 && codes.includes("insufficient_quota")) {
    return stop("quota", `${words}; the account's quota is used up, and its owner must raise it`)
  }
  const told = headers["x-should-retry"]
  if (told === "true" || (told !== "false" && isTransient(status))) {
    return new Again({ reason: words, after: waitOf(headers) })
  }
  if (isTransient(status)) return new RequestFailed({ endpoint: line.base, reason: `${words}, not to be tried again` })
  if (status === 400 || status === 422) return new Misunderstood({ said })
  if (status < 400) return stop("absent", `${words}; that is no answer of a model: is the address right (.../v1)?`)
  return new RequestRejected({ endpoint: line.base, reason: words })
}

const attempt = Effect.fnUntraced(function*<A>(line: Line, body: string, read: (text: string) => A | Again) {
  yield* line.gate.pass
  const response = yield* send(line, body)
  yield* line.gate.pause(usedUp(response.headers))
  if (response.status < 200 || response.status > 299) return yield* Effect.fail(refusalOf(line, response))
  const answer = read(response.text)
  return answer instanceof Again ? yield* answer : answer as Exclude<A, Again>
})

/** Longest pause between two tries, and longest wait of a request by itself, in seconds: longer ones hold all back. */
const [LONGEST, ALONE, ENDLESS] = [8, 60, 3600]

/**
 * Sends a body until `read` has an answer from the response. The pauses are .5, 1, 2, ... 8 seconds, up to a quarter
 * shorter at random, or what the endpoint asks for; more than a minute of that holds all requests back.
 */
export const post = Effect.fnUntraced(function*<A>(
  line: Line,
  name: string,
  body: string,
  read: (text: string) => A | Again,
  retried: () => void
) {
  const key = Key.fold(Key.make(line.seed), "retry", name)
  for (let failures = 0;; failures++) {
    const result = yield* Effect.result(attempt(line, body, read))
    if (result._tag === "Success") return result.success
    const { failure } = result
    if (!(failure instanceof Again)) return yield* Effect.fail(failure as Exclude<typeof failure, Again>)
    const { after = 0 } = failure
    if (failures === line.retries || after > ENDLESS) {
      const times = after > ENDLESS ? `, and asks for ${Math.ceil(after)} s` : ` (${failures + 1} attempts)`
      return yield* new RequestFailed({ endpoint: line.base, reason: `${scrubbed(line, failure.reason)}${times}` })
    }
    retried()
    const own = Math.min(line.pause * 2 ** failures, LONGEST * 1000) * (1 - 0.25 * Key.uniform(key, failures))
    if (after > ALONE) {
      yield* Effect.logWarning(
        `${line.base}: ${scrubbed(line, failure.reason)}; all requests wait ${Math.ceil(after)} s`
      )
      yield* line.gate.pause(after * 1000)
    } else yield* Effect.sleep(failure.after === undefined ? own : after * 1000)
  }
})
