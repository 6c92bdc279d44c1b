/** Synthesis: items, a request for each, drafts out of the answers, filters, and a count of what is lost where. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spoken } from "../../domain/answers/reasoning.ts"
import type { Structured } from "../../runtime/language/structured.ts"
import { Reporter } from "../../runtime/ports/Reporter.ts"
import {
  type Answer,
  type BatchReport,
  mostTokens,
  ofOneRequest,
  RequestFailed,
  type Spent,
  Writer,
  type WriteRequest,
  WriterError
} from "../../runtime/ports/Writer.ts"

/** What was written for an item. */
export interface Draft<I, D> {
  readonly item: I
  readonly sample: number
  readonly value: D
  readonly answer: Answer
}

/** Drops drafts; sees many at once, so that a model may judge them together. */
export interface Filter<I, D, E = never, R = never> {
  /** Why a draft is dropped, as the funnel has it. */
  readonly name: string
  readonly drops: (drafts: ReadonlyArray<Draft<I, D>>) => Effect.Effect<ReadonlyArray<boolean>, E, R>
}

/** A filter that sees one draft at a time. */
export const each = <I, D>(name: string, drops: (draft: Draft<I, D>) => boolean): Filter<I, D> => ({
  name,
  drops: (drafts) => Effect.sync(() => drafts.map(drops))
})

/** What is synthesised. */
export interface Task<I, D, E, R> {
  readonly name: string
  /** Drafts for each item. */
  readonly samples: number
  readonly request: (item: I, sample: number) => WriteRequest
  readonly write: (request: WriteRequest) => Effect.Effect<Structured<D>, WriterError, Writer>
  readonly filters: ReadonlyArray<Filter<I, D, E, R>>
}

/** Why an answer gave no draft. */
const losses = ["failed", "rejected", "waiting", "truncated", "refused", "empty", "invalid"] as const
type Loss = typeof losses[number]

const lossOf = ({ answer, problem }: Structured<unknown>): Loss | undefined => {
  if (answer.end !== "stop") return answer.end === "length" ? "truncated" : "refused"
  if (problem === "") return undefined
  return spoken(answer.text) === "" ? "empty" : "invalid"
}

/** Counts by stage, in the order of the stages. */
export type Counts = Readonly<Record<string, number>>

/** What a synthesis came to. */
export interface Funnel {
  readonly items: number
  /** Requests for drafts. */
  readonly requests: number
  /** Requests without a draft, by reason. */
  readonly lost: Counts
  /** Drafts that each filter dropped. */
  readonly dropped: Counts
  readonly kept: number
  /** Files in place of calls, if there are any; nothing is complete while requests in them wait for answers. */
  readonly batch?: BatchReport
  /** Drafts, dropped ones included, that were read as labelled lines in place of JSON. */
  readonly plain: number
}

/** Whether there are answers to all requests, so that the records can be written. */
export const isComplete = ({ batch }: Funnel): boolean => batch === undefined || batch.waiting === 0

/** A synthesis in progress. */
interface State {
  items: number
  requests: number
  kept: number
  plain: number
  readonly lost: Record<Loss, number>
  readonly dropped: Record<string, number>
  /** Requests without an answer since the last one with one. */
  unanswered: number
}

/** Requests in a row without an answer that end a synthesis. */
const PATIENCE = 10

/** Ends a synthesis of which no request is answered any more. */
const ended = (error: WriterError): WriterError => {
  const { endpoint } = error.reason as { readonly endpoint?: string }
  const reason = `${PATIENCE} requests in a row got no answer; the last: ${error.message}`
  return new WriterError({ reason: new RequestFailed({ endpoint: endpoint ?? "the model", reason }) })
}

const drafted = Effect.fnUntraced(function*<I, D, E, R>(
  { request, write }: Task<I, D, E, R>,
  state: State,
  item: I,
  sample: number
) {
  state.requests++
  const written = yield* Effect.result(write(request(item, sample)))
  if (written._tag === "Failure") {
    const loss = ofOneRequest(written.failure)
    if (loss === undefined) return yield* written.failure
    state.lost[loss]++
    if (written.failure.reason._tag === "NotAnswered") return []
    if (++state.unanswered >= PATIENCE) return yield* ended(written.failure)
    return []
  }
  state.unanswered = 0
  const { answer, value } = written.success
  const loss = lossOf(written.success)
  if (loss !== undefined) {
    state.lost[loss]++
    return []
  }
  if (written.success.plain === true) state.plain++
  return [{ item, sample, value: value as D, answer }]
})

const filtered = Effect.fnUntraced(function*<I, D, E, R>(
  filters: ReadonlyArray<Filter<I, D, E, R>>,
  state: State,
  drafts: ReadonlyArray<Draft<I, D>>
) {
  let left = drafts
  for (const { drops, name } of filters) {
    const dropped = left.length === 0 ? [] : yield* drops(left)
    state.dropped[name] = (state.dropped[name] ?? 0) + dropped.filter(Boolean).length
    left = left.filter((_, i) => !dropped[i])
  }
  state.kept += left.length
  return left
})

/** Items worked on before their filters run and their records are written. */
const CHUNK = 1024

const stateOf = (filters: ReadonlyArray<{ readonly name: string }>): State => ({
  items: 0,
  requests: 0,
  kept: 0,
  plain: 0,
  lost: { failed: 0, rejected: 0, waiting: 0, truncated: 0, refused: 0, empty: 0, invalid: 0 },
  dropped: Object.fromEntries(filters.map(({ name }) => [name, 0])),
  unanswered: 0
})

/** Runs a synthesis; `keep` gets every item in order, with the drafts that are left of it. */
export const synthesise = Effect.fn("synthesise")(function*<I, D, E, R, E2, R2, E3, R3>(
  task: Task<I, D, E, R>,
  items: Stream.Stream<I, E2, R2>,
  total: number,
  keep: (item: I, drafts: ReadonlyArray<Draft<I, D>>) => Effect.Effect<void, E3, R3>
) {
  const [{ batch, concurrency }, reporter] = [yield* Writer, yield* Reporter]
  const [state, began] = [stateOf(task.filters), yield* Clock.currentTimeMillis]
  let done = 0
  const report = Effect.gen(function*() {
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    yield* reporter.report({
      task: task.name,
      done: ++done,
      total: total * task.samples,
      start: 0,
      seconds,
      unit: "requests",
      each: 1,
      figures: {}
    })
  })
  const chunk = Effect.fnUntraced(function*(own: ReadonlyArray<I>) {
    state.items += own.length
    const asked = own.flatMap((item) => Array.from({ length: task.samples }, (_, sample) => ({ item, sample })))
    const written = yield* Effect.forEach(
      asked,
      ({ item, sample }) => Effect.tap(drafted(task, state, item, sample), report),
      { concurrency }
    )
    const left = Map.groupBy(yield* filtered(task.filters, state, written.flat()), ({ item }) => item)
    for (const item of own) yield* keep(item, left.get(item) ?? [])
  })
  yield* Stream.runForEach(Stream.grouped(items, CHUNK), chunk)
  const { dropped, items: count, kept, lost, plain, requests } = state
  const files = batch === undefined ? {} : { batch: yield* batch }
  return { items: count, requests, lost, dropped, kept, plain, ...files } satisfies Funnel as Funnel
})

/** What a synthesis would take. */
export interface Estimate {
  readonly writer: string
  readonly items: number
  readonly requests: number
  /** Requests whose answers are kept already. */
  readonly kept: number
  /** About: four characters a token; answers as long as they may be. */
  readonly tokens: number
  readonly prompts: ReadonlyArray<string>
  /** Most requests of stages that ask of what this one writes, if there are any; their prompts are not known yet. */
  readonly later?: number
}

/** Prompts that an estimate shows. */
const SHOWN = 3

/** Estimates a synthesis without a request. */
export const estimate = Effect.fnUntraced(function*<I, D, E, R, E2, R2>(
  { request, samples }: Task<I, D, E, R>,
  items: Stream.Stream<I, E2, R2>
) {
  const { isKept, name } = yield* Writer
  const found = { items: 0, requests: 0, kept: 0, tokens: 0 }
  const prompts: Array<string> = []
  yield* Stream.runForEach(items, (item) =>
    Effect.gen(function*() {
      found.items++
      for (let sample = 0; sample < samples; sample++) {
        const own = request(item, sample)
        if (prompts.length < SHOWN) prompts.push(own.turns.map(({ text }) => text).join("\n\n"))
        found.requests++
        if (yield* isKept(own)) found.kept++
        else found.tokens += mostTokens(own)
      }
    }))
  return { writer: name, ...found, prompts } satisfies Estimate as Estimate
})

/** A written text as it is: without reasoning before it, and without a fence around it. */
export const writeText = (request: WriteRequest): Effect.Effect<Structured<string>, WriterError, Writer> =>
  Effect.gen(function*() {
    const { write } = yield* Writer
    const answer = yield* write(request)
    const value = unfenced(spoken(answer.text))
    return { answer, value, problem: value === "" ? "it is empty" : "" }
  })

/** A text without a code fence around all of it. */
export const unfenced = (text: string): string =>
  (/^```[\w-]*\n([\s\S]*?)\n?```$/.exec(text.trim())?.[1] ?? text).trim()

/** Where a synthetic text is from, as its record has it. */
export interface Provenance {
  readonly model: string
  readonly fingerprint: string | null
  readonly prompt_sha: string
  readonly seed: number
  readonly sample: number
  /** Ids of the records it was made from. */
  readonly sources: ReadonlyArray<string>
  readonly request_key: string
}

/** Where a draft is from. */
export const provenanceOf = <I, D>(
  { answer: { fingerprint, model, request_key }, sample }: Draft<I, D>,
  prompt_sha: string,
  seed: number,
  sources: ReadonlyArray<string>
): Provenance => ({ model, fingerprint, prompt_sha, seed, sample, sources, request_key })

/** What a synthesis leaves beside its records. */
export interface Report extends Funnel {
  readonly task: string
  readonly writer: string
  /** The models whose texts were kept, as they name themselves. */
  readonly models: ReadonlyArray<string>
  readonly prompt: string
  readonly prompt_sha: string
  readonly seed: number
  readonly spent: Spent
}
