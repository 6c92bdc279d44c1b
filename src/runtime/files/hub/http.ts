/** Requests to the Hub: with its token and timeouts, tried again where that may help, and refusals explained. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { cut } from "../../../domain/brief.ts"
import { causeOf, retryAfter } from "../http.ts"
import type { Online } from "./environment.ts"
import { HubError } from "./errors.ts"
import { isCommit, type ModelId, show } from "./ids.ts"

/** A request failed, and may succeed if it is made again, not before `after` seconds if the server says so. */
export class Transient extends Schema.TaggedError<Transient>()("Transient", {
  reason: Schema.String,
  after: Schema.optional(Schema.Finite)
}) {}

/** How one model is requested. */
export interface Requests {
  readonly id: ModelId
  readonly online: Online
}

const hostOf = (address: string): string => new URL(address).host

const lost = ({ online: { endpoint, unusedProxy } }: Requests) => (error: HttpClientError) => {
  const hint = unusedProxy === undefined ? "" : `; Node uses ${unusedProxy} only with NODE_USE_ENV_PROXY=1`
  return new Transient({ reason: `${hostOf(endpoint)} cannot be reached (${causeOf(error)})${hint}` })
}

/** Seconds to wait by the headers `Retry-After` (seconds, or a date) and `RateLimit` (`t=` seconds). */
const waitOf = ({ "retry-after": after = "", ratelimit = "" }: HttpClientResponse["headers"]): number | undefined => {
  const reset = /(?:^|;)\s*t=(\d+)/.exec(ratelimit)?.[1]
  const told = retryAfter(after)
  if (told !== undefined) return told
  return reset === undefined ? undefined : Number(reset)
}

/** What the Hub says about a refusal, in one line. */
const said = (headers: HttpClientResponse["headers"]): string => {
  const text = headers["x-error-message"]
  return text === undefined ? "" : ` (${cut(text, 300)})`
}

const asked = ({ online }: Requests): string =>
  online.token === undefined
    ? "if it is private, a token is needed (HF_TOKEN, or a login that left one in HF_HOME/token)"
    : "if it is private, the token that is set does not allow it"

/** What a refusal means, and what to do. */
const refusalOf = (requests: Requests, what: string, { headers, status }: HttpClientResponse): HubError => {
  const { id, online } = requests
  const fail = (kind: HubError["kind"], reason: string) => new HubError({ model: show(id), kind, reason })
  const code = headers["x-error-code"]
  const [host, page] = [hostOf(online.endpoint), `${online.endpoint}/${id.repo}`]
  if (code === "GatedRepo") {
    const whose = online.token === undefined ? "then set HF_TOKEN to a token of yours" : "as the owner of the token"
    return fail("gated", `is gated: accept its terms at ${page}, ${whose}${said(headers)}`)
  }
  if (code === "RevisionNotFound") {
    return fail("absent", `${host} has ${id.repo}, but no revision ${JSON.stringify(id.revision)} of it`)
  }
  if (code === "EntryNotFound") return fail("absent", `${host} lists ${what}, but does not have it`)
  if (status === 401 && /invalid/i.test(headers["x-error-message"] ?? "")) {
    return fail("denied", `${host} does not accept the token: renew HF_TOKEN, or HF_HOME/token${said(headers)}`)
  }
  if (code === "RepoNotFound" || status === 401 || status === 404) {
    return fail("absent", `${host} has no such model; ${asked(requests)}`)
  }
  if (status === 403) return fail("denied", `${host} forbids ${what}${said(headers)}; see ${page}`)
  return fail("unreachable", `${host} answers ${status} for ${what}${said(headers)}`)
}

const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500

/** The response to a request, once its headers have come; its body must be read before the scope ends. */
export const get = Effect.fnUntraced(function*(
  requests: Requests,
  path: string,
  what: string,
  headers: Readonly<Record<string, string>> = {}
) {
  const { online: { endpoint, patience, token } } = requests
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  /** Without compression, so that lengths and ranges are those of the file. */
  const plain = { "accept-encoding": "identity", "user-agent": "anamnesis", ...headers }
  const request = HttpClientRequest.get(`${endpoint}/${path}`, { headers: plain })
  const response = yield* client.execute(
    token === undefined ? request : HttpClientRequest.bearerToken(request, token)
  ).pipe(
    Effect.mapError(lost(requests)),
    Effect.timeoutOrElse({
      duration: patience.headers,
      orElse: () =>
        Effect.fail(
          new Transient({ reason: `${hostOf(endpoint)} does not answer within ${patience.headers / 1000} s` })
        )
    }),
    Effect.provideService(HttpClient.TracerPropagationEnabled, false)
  )
  const { status } = response
  if (status === 200 || status === 206 || status === 416) return response
  if (!isTransient(status)) return yield* refusalOf(requests, what, response)
  const reason = `${hostOf(endpoint)} answers ${status}${said(response.headers)}`
  return yield* new Transient({ reason, after: waitOf(response.headers) })
})

/** The body of a response in pieces; fails if it is cut, or if nothing comes for too long. */
export const body = (requests: Requests, response: HttpClientResponse): Stream.Stream<Uint8Array, Transient> => {
  const { body: patience } = requests.online.patience
  const stalled = new Transient({ reason: `nothing more came within ${patience / 1000} s` })
  return response.stream.pipe(
    Stream.mapError((error) => new Transient({ reason: `the connection was lost (${causeOf(error)})` })),
    Stream.timeoutOrElse({ duration: patience, orElse: () => Stream.fail(stalled) })
  )
}

/** Attempts in a row without progress; the longest pause in seconds that a server may ask for. */
const [ATTEMPTS, LONGEST] = [5, 600]

/** Options of `retrying`. */
export interface Retry {
  readonly attempts?: number
  /** What has been achieved, such as bytes: after an attempt that raised it, the count begins anew. */
  readonly progress?: () => number
}

/**
 * Makes an attempt until it succeeds, with pauses of 1, 2, 4, ... seconds or those the server asks for, each told.
 * Fails with `HubError` if five in a row achieve nothing, or if the server wants more than ten minutes.
 */
export const retrying = Effect.fnUntraced(function*<A, E, R>(
  { id }: Requests,
  attempt: Effect.Effect<A, E | Transient, R>,
  { attempts = ATTEMPTS, progress = () => 0 }: Retry = {}
) {
  const model = show(id)
  for (let [failures, before] = [0, progress()];;) {
    const result = yield* Effect.result(attempt)
    if (result._tag === "Success") return result.success
    const { failure } = result
    if (!(failure instanceof Transient)) return yield* Effect.fail(failure as Exclude<E, Transient>)
    failures = progress() > before ? 1 : failures + 1
    before = progress()
    const pause = Math.max(failure.after ?? 0, 2 ** (failures - 1))
    const ends = failures >= attempts ? ` (${failures} attempts)` : pause > LONGEST ? `, for ${Math.ceil(pause)} s` : ""
    if (ends !== "") {
      return yield* new HubError({ model, kind: "unreachable", reason: `${failure.reason}${ends}` })
    }
    yield* Effect.logWarning(`${model}: ${failure.reason}; trying again in ${Math.ceil(pause)} s`)
    yield* Effect.sleep(pause * 1000)
  }
})

/** The path of the API that tells a revision's commit and files. */
export const infoPath = ({ repo, revision }: ModelId): string =>
  `api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`

/** The path of a commit's file. */
export const filePath = (repo: string, commit: string, file: string): string => {
  if (!isCommit(commit)) throw new Error(`${commit} is no commit`)
  return `${repo}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`
}
