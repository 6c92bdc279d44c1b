/** A writer that is our own reader: the same requests, without a network. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import { type Chat, text } from "../../domain/Content.ts"
import { canonical } from "../../domain/texts/canonical.ts"
import { hashFile, namesIn, sha256 } from "../files/disk.ts"
import { isFile } from "../files/model.ts"
import * as ModelFolder from "../models/folder.ts"
import { LanguageModel, type Token } from "../ports/LanguageModel.ts"
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

const make = Effect.fnUntraced(function*({ cache, identity, name, seed, token_budget }: LocalSettings) {
  const model = yield* LanguageModel
  const answers = yield* Kept.make(cache, token_budget)
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  const keyed = ({ format, max_tokens, sample = 0, turns }: WriteRequest) => {
    const asked = { turns: format ? withInstructions(turns, format) : turns, max_tokens, sample, seed }
    return { asked, key: sha256(canonical({ v: 1, ...identity, ...asked })) }
  }
  return Writer.of({
    name,
    seed,
    concurrency: 1,
    kept: cache,
    write: Effect.fn("writer.write")((request: WriteRequest) => {
      const { asked, key } = keyed(request)
      const call = Stream.runCollect(
        model.write([chatOf(asked.turns)], { max_new_tokens: asked.max_tokens, key: `${seed}/${asked.sample}` })
      )
      const answer = alone(call).pipe(
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
