/** Warnings about files. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Warnings this process has logged about its files: each is logged once, however often a file is read. */
const Told = Context.Reference<Set<string>>("anamnesis/Told", { defaultValue: () => new Set() })

/** Logs sentences about a file, each once. */
export const tell = Effect.fnUntraced(function*(path: string, sentences: ReadonlyArray<string>) {
  const before = yield* Told
  for (const sentence of sentences.map((own) => `${path}: ${own}`)) {
    if (before.has(sentence)) continue
    before.add(sentence)
    yield* Effect.logWarning(sentence)
  }
})

/** Logs the warnings of a file after loading it. */
export const told = <A extends { readonly told: ReadonlyArray<string> }, E, R>(
  path: string,
  loaded: Effect.Effect<A, E, R>
) => Effect.tap(loaded, ({ told }) => tell(path, told))
