/** Answers that are kept on disk: each request is answered once, in this process and in those after it. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { FileError } from "../files/disk.ts"
import * as Lock from "../files/lock.ts"
import * as Store from "../files/store.ts"
import { type Answer, AnswersUnkept, type Spent, WriterError } from "../ports/Writer.ts"
import * as Budget from "./budget.ts"

const Kept = Schema.Struct({
  answer: Schema.Struct({
    text: Schema.String,
    end: Schema.Literals(["stop", "length", "refused"]),
    refusal: Schema.String,
    model: Schema.String,
    fingerprint: Schema.NullOr(Schema.String),
    usage: Schema.Struct({ input: Schema.Int, output: Schema.Int }),
    request_key: Schema.String
  })
})
const decode = Schema.decodeUnknownOption(Kept)

const unkept = ({ message }: FileError) => new WriterError({ reason: new AnswersUnkept({ reason: message }) })

/** A call of the model for a request. */
export interface Call {
  readonly key: string
  /** What is kept beside the answer, for people. */
  readonly request: object
  /** Tokens that it may take at most. */
  readonly most: number
  /** Whether it takes none of the budget, as nothing is asked for. */
  readonly free?: boolean
  readonly call: Effect.Effect<Omit<Answer, "request_key">, WriterError>
}

/** Answers in a folder, which is locked until the scope ends, and a budget of tokens in this process (0: none). */
export const make = Effect.fnUntraced(function*(folder: string, budget: number) {
  yield* Lock.hold(folder)
  const store = yield* Store.open(folder)
  const paid = Budget.make(budget, folder)
  const pending = new Map<string, Deferred.Deferred<Answer, WriterError>>()
  const spent = { calls: 0, cached: 0, input_tokens: 0, output_tokens: 0, retries: 0 }

  const found = Effect.fnUntraced(function*(key: string) {
    const value = decode(yield* Effect.mapError(store.get(key), unkept))
    return value._tag === "Some" && value.value.answer.request_key === key ? value.value.answer : undefined
  })
  /** Calls; once there is an answer, which may have cost money, nothing interrupts its way to the disk. */
  const called = ({ call, free = false, key, most, request }: Call) => {
    const kept = Effect.uninterruptibleMask(Effect.fnUntraced(function*(restore) {
      const answer: Answer = { ...yield* restore(call), request_key: key }
      spent.calls++
      spent.input_tokens += answer.usage.input
      spent.output_tokens += answer.usage.output
      const time = new Date(yield* Clock.currentTimeMillis).toISOString()
      yield* Effect.mapError(store.put(key, { request, answer, time }), unkept)
      return answer
    }))
    if (free) return kept
    return paid(most, kept, ({ usage }) => usage.input + usage.output).pipe(
      Effect.mapError((error) => error instanceof WriterError ? error : new WriterError({ reason: error }))
    )
  }
  /** The answer as kept, or by a call; requests of the same key at the same time share one. */
  const through = Effect.fnUntraced(function*(own: Call) {
    const { key } = own
    const other = pending.get(key)
    if (other) {
      spent.cached++
      return yield* Deferred.await(other)
    }
    const deferred = yield* Deferred.make<Answer, WriterError>()
    pending.set(key, deferred)
    return yield* Effect.gen(function*() {
      const before = yield* found(key)
      if (before === undefined) return yield* called(own)
      spent.cached++
      return before
    }).pipe(
      Effect.onExit((exit) => {
        pending.delete(key)
        return Deferred.done(deferred, exit)
      })
    )
  })
  return {
    store,
    through,
    has: (key: string) => Effect.map(found(key), (answer) => answer !== undefined),
    unkept,
    retried: () => void spent.retries++,
    spent: Effect.sync((): Spent => ({ ...spent }))
  }
})
/** Answers in a folder. */
export type Answers = Effect.Success<ReturnType<typeof make>>
