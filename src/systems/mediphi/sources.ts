/** The model folder's tokenizer and chat template, as examples need them. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { ExampleSources, LearnedOptions } from "../../runtime/language/examples/examples.ts"
import { load } from "../../runtime/language/examples/marked.ts"
import * as Folder from "../../runtime/language/folder.ts"
import { ModelRefused } from "../../runtime/ports/LanguageModel.ts"
import type { MediphiConfig } from "./settings.ts"

/** Warnings about the folder are logged when the model is loaded. */
const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

/** The sources of examples; the template's process runs until the scope ends. */
export const sources = Effect.fnUntraced(function*(c: MediphiConfig, options: LearnedOptions) {
  const { max_length } = c
  const { ends, tokenizer, wrap } = yield* quietly(
    Folder.open(c.reader_name_or_path, { max_length, apply_chat_template: false })
  )
  const scope = yield* Effect.scope
  const template = yield* Effect.cached(
    Effect.provideService(load(tokenizer), Scope.Scope, scope)
  )
  return { tokenizer, start: "render" in wrap ? [] : wrap, end: ends.end, template, options } satisfies ExampleSources
})

/** Names the row of which a template complains. */
export const inRow = <A, E, R>(id: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapError(effect, (error) =>
    error instanceof ModelRefused
      ? new ModelRefused({ path: error.path, place: error.place, reason: `row ${id}: ${error.reason}` }) as E
      : error)
