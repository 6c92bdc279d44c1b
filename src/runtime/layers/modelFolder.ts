/** A model folder as Hugging Face lays it out: `config.json`, `tokenizer.json` and, once trained, `model.safetensors`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import * as Key from "../../domain/Key.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { decodeFile, FileError, located, readText } from "./files.ts"
import { initialise } from "./initialise.ts"
import * as Tokenizer from "./tokenizer.ts"
import * as WeightFiles from "./weightFiles.ts"

export interface ModelFolder<C> {
  readonly folder: string
  readonly config: C
  readonly tokenizer: Tokenizer.Tokenizer
}

export const open = Effect.fnUntraced(function*<C>(folder: string, schema: Schema.Codec<C, any>) {
  const path = join(folder, "config.json")
  const config = yield* decodeFile(path, Schema.decodeUnknownEffect(schema, { errors: "all" }))
  const tokenizer = yield* Tokenizer.load(folder)
  return { folder, config, tokenizer } satisfies ModelFolder<C> as ModelFolder<C>
})

/** Refuses lengths, by setting, that the model has no positions for. */
export const fits = (
  folder: string,
  { max_position_embeddings }: { readonly max_position_embeddings: number },
  lengths: Readonly<Record<string, number>>
): Effect.Effect<void, FileError> => {
  const long = Object.entries(lengths).filter(([, length]) => length > max_position_embeddings)
  if (long.length === 0) return Effect.void
  const reason = `${max_position_embeddings} positions are fewer than ${long.map(([s, n]) => `${s} (${n})`).join(", ")}`
  return Effect.fail(new FileError({ path: join(folder, "config.json"), place: "max_position_embeddings", reason }))
}

export type Options = Partial<WeightFiles.LoadOptions>

/**
 * The folder's weights, which become the caller's own; drawn under the seed where the folder has none, and where it
 * lacks one that is dispensable.
 */
export const weights = Effect.fnUntraced(
  function*(folder: string, params: Flat, seed: number, options: Options = {}) {
    const { dispensable = () => false, naming = (stored) => stored } = options
    const sources = yield* WeightFiles.open(folder)
    const key = Key.fold(Key.make(seed), "initialise")
    if (!sources) return initialise(params, key)
    const stored = yield* WeightFiles.load(folder, params, sources, { naming, dispensable })
    const missing = new Map([...params].filter(([path]) => !stored.has(path)))
    return new Map([...stored, ...initialise(missing, key)])
  },
  Effect.scoped
)

/** What a checkpoint needs beside weights to be a model folder itself. */
export const companions = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const names = ["config.json", "tokenizer.json", "tokenizer_config.json"]
  const present = yield* Effect.filter(names, (name) => fs.exists(join(folder, name)).pipe(located(folder)))
  return yield* Effect.forEach(
    present,
    (name) => Effect.map(readText(join(folder, name)), (text) => [name, text] as const)
  )
})
