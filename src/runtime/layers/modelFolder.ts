/** A model folder as Hugging Face lays it out: `config.json`, `tokenizer.json` and, once trained, `model.safetensors`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import * as Key from "../../domain/Key.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { FileError, located, readJson, readText } from "./files.ts"
import { initialise } from "./initialise.ts"
import * as Safetensors from "./safetensors.ts"
import * as Tokenizer from "./tokenizer.ts"

export interface ModelFolder<C> {
  readonly folder: string
  readonly config: C
  readonly tokenizer: Tokenizer.Tokenizer
}

const WEIGHTS = "model.safetensors"

export const open = Effect.fnUntraced(function*<C>(folder: string, schema: Schema.Codec<C, any>) {
  const path = join(folder, "config.json")
  const config = yield* readJson(path).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(schema, { errors: "all" })),
    Effect.mapError((error) =>
      error instanceof FileError ? error : new FileError({ path, place: "", reason: error.message })
    )
  )
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

/** Every way in which stored tensors do not fit the model, in one message. */
const misfits = (params: Flat, stored: Safetensors.StoredTensors): ReadonlyArray<string> => [
  ...[...params].flatMap(([path, { shape }]) => {
    const found = stored.get(path)
    if (!found) return [`${path} [${shape.join()}] is missing`]
    return found.shape.join() === shape.join() ? [] : [`${path} is [${found.shape.join()}], not [${shape.join()}]`]
  }),
  ...[...stored.keys()].filter((path) => !params.has(path)).map((path) => `${path} is unknown to this architecture`)
]

/** The folder's weights; drawn under the seed where the folder has none. */
export const weights = Effect.fnUntraced(function*(folder: string, params: Flat, seed: number) {
  const fs = yield* FileSystem.FileSystem
  const path = join(folder, WEIGHTS)
  if (!(yield* fs.exists(path).pipe(located(path)))) return initialise(params, Key.fold(Key.make(seed), "initialise"))
  const stored = yield* Safetensors.read(path)
  const wrong = misfits(params, stored)
  if (wrong.length > 0) return yield* new FileError({ path, place: "", reason: wrong.join("; ") })
  return new Map([...stored].map(([name, { data }]) => [name, data]))
})

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
