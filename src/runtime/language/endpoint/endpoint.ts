/** A writer behind an OpenAI-compatible endpoint: chat completions, with what they take and what may go wrong. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { sha256 } from "../../files/disk.ts"
import {
  type Answer,
  mostTokens,
  RequestFailed,
  RequestRejected,
  Writer,
  type WriteRequest,
  WriterError
} from "../../ports/Writer.ts"
import * as Kept from "../kept.ts"
import { addressOf, KEY, keyIn } from "./address.ts"
import * as Batch from "./batch.ts"
import * as Dialects from "./dialect.ts"
import * as Gate from "./gate.ts"
import { Again, type Line, Misunderstood, post } from "./http.ts"
import { answerOf, type Body, bodyOf, keyOf, type Sampling } from "./wire.ts"

/** How an endpoint is used. */
export interface EndpointSettings extends Sampling {
  /** The address above `/chat/completions`, such as `https://host/v1`. */
  readonly base_url: string
  /** The variable of the environment that has the key. */
  readonly api_key_env: string
  /** Requests in flight at once. */
  readonly concurrency: number
  /** 0 for no limit. */
  readonly requests_per_minute: number
  /** How often a request is made again at most. */
  readonly retries: number
  /** Seconds for a whole answer. */
  readonly timeout: number
  /** Most tokens of requests and answers in this process; 0 for no limit. */
  readonly token_budget: number
  /** Folder of kept answers. */
  readonly cache: string
  /** Files that requests are written to in place of being made, and answers read from. */
  readonly batch?: Batch.BatchSettings | undefined
  /** Milliseconds of the first pause before a request is made again. */
  readonly pause?: number
}

/** What settings are where users do not say otherwise. */
export const defaults = {
  temperature: 0.7,
  top_p: undefined,
  seed: 0,
  api_key_env: KEY,
  concurrency: 4,
  requests_per_minute: 0,
  retries: 5,
  timeout: 600,
  token_budget: 0
} as const

const decodeDialect = Schema.decodeUnknownOption(Dialects.Dialect)

/** What is known of an endpoint's dialect, kept beside the answers. */
const dialectIn = Effect.fnUntraced(function*({ store, unkept }: Kept.Answers, name: string) {
  const key = sha256(`dialect ${name}`)
  const before = decodeDialect(yield* Effect.mapError(store.get(key), unkept))
  let own: Dialects.Dialect = before._tag === "Some" ? before.value : Dialects.first
  return {
    get: () => own,
    set: (next: Dialects.Dialect) => {
      own = next
      return Effect.mapError(store.put(key, next), unkept)
    }
  }
})

const rejected = (endpoint: string, { said }: Misunderstood) =>
  new WriterError({ reason: new RequestRejected({ endpoint, reason: `refuses the request: ${said}` }) })

/** Reads a response as an answer to a request, as another try, or as nothing that one would mend. */
const reading = (request: WriteRequest, { base, model }: Line) => (text: string) => {
  const answer = answerOf(text, request, model)
  if (!("again" in answer)) return answer
  return answer.again
    ? new Again({ reason: answer.reason })
    : new RequestFailed({ endpoint: base, reason: answer.reason })
}

/** An answer out of files; without one the request is written to a file, or made. */
const inFiles = Effect.fnUntraced(function*<A>(
  batch: Batch.Batch,
  key: string,
  request: WriteRequest,
  body: Body,
  call: Effect.Effect<A, WriterError>
) {
  const found = yield* batch.answerTo(key, request)
  if (found !== undefined) return found
  return yield* batch.writes ? batch.ask(key, body) : call
})

/** What the endpoint said of a request that it refused. */
const saidBy = ({ reason }: WriterError): string =>
  reason._tag === "RequestRejected" || (reason._tag === "NotAnswered" && reason.kind === "failed") ? reason.reason : ""

const make = Effect.fnUntraced(function*(o: EndpointSettings) {
  const address = yield* addressOf(o.base_url)
  const answers = yield* Kept.make(o.cache, o.token_budget)
  const line: Line = {
    ...address,
    key: yield* keyIn(o.api_key_env, address),
    model: o.model,
    seed: o.seed,
    timeout: o.timeout * 1000,
    retries: o.retries,
    pause: o.pause ?? 500,
    gate: Gate.make(o.requests_per_minute)
  }
  const batch = o.batch === undefined ? undefined : yield* Batch.make(o.batch, address.base, o.model)
  const client = yield* HttpClient.HttpClient
  const dialect = yield* dialectIn(answers, `${address.url} ${o.model}`)
  const within = Semaphore.withPermit(yield* Semaphore.make(o.concurrency))

  /** Asks the endpoint, in the dialect given. */
  const call = (request: WriteRequest, name: string, body: string) =>
    within(post(line, name, body, reading(request, line), answers.retried)).pipe(
      Effect.flatMap((answer) => answer instanceof RequestFailed ? Effect.fail(answer) : Effect.succeed(answer)),
      Effect.mapError((error) =>
        error instanceof Misunderstood ? rejected(address.base, error) : new WriterError({ reason: error })
      ),
      Effect.provideService(HttpClient.HttpClient, client)
    )
  const keyed = (request: WriteRequest, own: Dialects.Dialect) => {
    const body = bodyOf(o, request, own)
    return { body, key: keyOf(address.url, body, request.sample ?? 0) }
  }
  /** Asks, and asks in the next dialect if the endpoint does not understand this one. */
  const write = (request: WriteRequest): Effect.Effect<Answer, WriterError> =>
    Effect.suspend(() => {
      const before = dialect.get()
      const { body, key } = keyed(request, before)
      batch?.see(key)
      const asked = call(request, key, JSON.stringify(body))
      const free = batch !== undefined && (batch.writes || batch.has(key))
      const own = {
        key,
        request: { url: address.url, ...body },
        most: mostTokens(request),
        free,
        call: batch === undefined ? asked : inFiles(batch, key, request, body, asked)
      }
      return Effect.catch(answers.through(own), (error) => {
        const said = saidBy(error)
        const next = Dialects.after(before, request.format !== undefined, said)
        if (next === undefined) return Effect.fail(error)
        return Effect.andThen(dialect.get() === before ? dialect.set(next) : Effect.void, write(request))
      })
    })
  return Writer.of({
    name: `${o.model} of ${address.base}`,
    seed: o.seed,
    concurrency: o.concurrency,
    kept: o.cache,
    write: Effect.fn("writer.write")(write),
    isKept: (request) => {
      const { key } = keyed(request, dialect.get())
      return batch?.has(key) ? Effect.succeed(true) : answers.has(key)
    },
    spent: answers.spent,
    ...(batch === undefined ? {} : { batch: batch.finish })
  })
})

/** The layer of an endpoint; its cache is locked until the scope ends. */
export const layer = (settings: EndpointSettings) =>
  Layer.effect(Writer, make(settings)).pipe(Layer.provide(FetchHttpClient.layer))
