/** A writer that is our own reader: the same requests, without a network. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { type Chat, text } from "../../domain/Content.ts"
import { canonical } from "../../domain/texts/canonical.ts"
import { hashFile, namesIn, sha256 } from "../files/disk.ts"
import { isFile } from "../files/model.ts"
import * as ModelFolder from "../models/folder.ts"
import { LanguageModel, type LanguageModelError, type Token } from "../ports/LanguageModel.ts"
import { about, type Answer, mostTokens, type Turn, Writer, type WriteRequest, WriterError } from "../ports/Writer.ts"
import * as Kept from "./kept.ts"
import { withInstructions } from "./structured.ts"

/** Files of a model folder that its answers depend on. */
const decisive = /\.(?:json|jinja|safetensors|model|txt)$/

const filesIn = Effect.fnUntraced(function*(path: string) {
  if (yield* isFile(path)) return [path]
  return (yield* namesIn(path)).filter((name) => decisive.test(name)).toSorted().map((name) => join(path, name))
})

/** SHA-256 of a model's files, those of an adapter and its base; reads them whole. */
export const identityOf = Effect.fnUntraced(function*(name: string) {
  const { adapter, folder } = yield* ModelFolder.resolve(name)
  const paths = yield* Effect.forEach(adapter ? [folder, adapter.folder] : [folder], filesIn)
  return sha256(...(yield* Effect.forEach(paths.flat(), hashFile)))
})

/** How the reader is used as a writer. */
export interface LocalSettings {
  /** For messages. */
  readonly name: string
  /** All that its answers depend on besides the request: the hash of its files, and settings. */
  readonly identity: Readonly<Record<string, unknown>> & { readonly model: string }
  readonly seed: number
  /** Texts that are written at a time; none depends on the others. */
  readonly batch: number
  /** Folder of kept answers. */
  readonly cache: string
  /** Most tokens of requests and answers in this process; 0 for no limit. */
  readonly token_budget: number
}

const chatOf = (turns: ReadonlyArray<Turn>): Chat =>
  turns.map((turn) => ({ role: turn.role, content: [text(turn.text)] }))

const answerOf = (
  tokens: ReadonlyArray<Token>,
  { turns }: WriteRequest,
  model: string
): Omit<Answer, "request_key"> => ({
  text: tokens.map((token) => token.text).join(""),
  end: tokens.at(-1)?.finish === "length" ? "length" : "stop",
  refusal: "",
  model,
  fingerprint: null,
  usage: { input: about(turns.reduce((sum, turn) => sum + turn.text.length, 0)), output: tokens.length }
})

/** A text to write, and where its tokens are waited for. */
interface Waiting {
  readonly turns: ReadonlyArray<Turn>
  readonly max_tokens: number
  readonly sample: number
  readonly tokens: Deferred.Deferred<ReadonlyArray<Token>, LanguageModelError>
}

/** How long requests are waited for that are made at the same time as the first, in milliseconds. */
const GATHERING = 5

/** Writes texts as they are asked for, those that wait together in one batch. */
const inBatches = Effect.fnUntraced(function*(model: LanguageModel["Service"], seed: number, most: number) {
  const queue = yield* Queue.unbounded<Waiting>()
  const written = Effect.fnUntraced(function*(batch: ReadonlyArray<Waiting>) {
    const [{ max_tokens, sample }] = batch as readonly [Waiting, ...ReadonlyArray<Waiting>]
    const chats = batch.map(({ turns }) => chatOf(turns))
    const tokens = yield* Stream.runCollect(
      model.write(chats, { max_new_tokens: max_tokens, key: `${seed}/${sample}` })
    )
    const byRow = Map.groupBy(tokens, ({ row }) => row)
    return batch.map((_, row) => byRow.get(row) ?? [])
  })
  /** Texts that fail together are written one by one, so that an error is that of its own request. */
  const settle = (batch: ReadonlyArray<Waiting>): Effect.Effect<void> =>
    Effect.flatMap(Effect.exit(written(batch)), (exit) => {
      if (Exit.isFailure(exit) && batch.length > 1) {
        return Effect.forEach(batch, (one) => settle([one]), { discard: true })
      }
      return Effect.forEach(
        batch,
        ({ tokens }, i) => Deferred.done(tokens, Exit.map(exit, (texts) => texts[i]!)),
        { discard: true }
      )
    })
  const gathered = Effect.gen(function*() {
    const first = yield* Queue.take(queue)
    yield* Effect.sleep(GATHERING)
    const others = Math.min(yield* Queue.size(queue), most - 1)
    const rest = others > 0 ? yield* Queue.takeBetween(queue, others, others) : []
    const alike = Map.groupBy([first, ...rest], ({ max_tokens, sample }) => `${max_tokens}/${sample}`)
    yield* Effect.forEach(alike.values(), settle, { discard: true })
  })
  yield* Effect.forkScoped(Effect.forever(gathered))
  return Effect.fnUntraced(function*(asked: Omit<Waiting, "tokens">) {
    const tokens = yield* Deferred.make<ReadonlyArray<Token>, LanguageModelError>()
    yield* Queue.offer(queue, { ...asked, tokens })
    return yield* Deferred.await(tokens)
  })
})

const make = Effect.fnUntraced(function*({ batch, cache, identity, name, seed, token_budget }: LocalSettings) {
  const model = yield* LanguageModel
  const answers = yield* Kept.make(cache, token_budget)
  const tokensOf = yield* inBatches(model, seed, batch)
  const keyed = ({ format, max_tokens, sample = 0, turns }: WriteRequest) => {
    const asked = { turns: format ? withInstructions(turns, format) : turns, max_tokens, sample, seed }
    return { asked, key: sha256(canonical({ v: 1, ...identity, ...asked })) }
  }
  return Writer.of({
    name,
    seed,
    concurrency: batch,
    kept: cache,
    write: Effect.fn("writer.write")((request: WriteRequest) => {
      const { asked, key } = keyed(request)
      const answer = tokensOf(asked).pipe(
        Effect.map((tokens) => answerOf(tokens, request, identity.model)),
        Effect.mapError((error) => new WriterError({ reason: error }))
      )
      return answers.through({ key, request: { model: name, ...asked }, most: mostTokens(request), call: answer })
    }),
    isKept: (request) => answers.has(keyed(request).key),
    spent: answers.spent
  })
})

/** The layer of our own reader; its cache is locked until the scope ends. */
export const layer = (settings: LocalSettings) => Layer.effect(Writer, make(settings))
