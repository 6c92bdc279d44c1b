/**
 * A model folder in Hugging Face's layout: `config.json`, `tokenizer.json` and, once trained, `model.safetensors`; or
 * an adapter folder, which names its base model; or a GGUF file, which is read as such a folder. It is named by its path, or
 * by its id if the Hub's cache has it.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Path from "node:path"
import { join } from "node:path"
import { brief } from "../../domain/brief.ts"
import { modelFiles } from "../../domain/fileNames.ts"
import * as Key from "../../domain/Key.ts"
import { asStored, type Values } from "../../kernels/half.ts"
import type { Flat } from "../../kernels/nn/Module.ts"
import { isHeld } from "../../kernels/nn/quantised.ts"
import type { Decode } from "../files/config/keys.ts"
import { FileError, hashFile, located } from "../files/disk.ts"
import * as Gguf from "../files/gguf/read.ts"
import { type ModelId, parse } from "../files/hub/ids.ts"
import { locate, pin } from "../files/hub/models.ts"
import { decodeFile, exists, isFile, readText } from "../files/model.ts"
import * as Peft from "../files/peft.ts"
import * as WeightFiles from "../files/weights.ts"
import * as Tokenizer from "../tokenizers/tokenizer.ts"
import { initialise } from "./initialise.ts"

/** How a folder's weights are loaded. */
export interface Options extends Partial<WeightFiles.LoadOptions> {
  /** Initialise the weights of a folder marked as untrained, from the seed. */
  readonly draws?: boolean
}

/** Marker file of a model to be trained from scratch; `init` writes it. */
export const UNTRAINED = modelFiles.untrained

/** A model folder whose config and tokenizer have been read. */
export interface ModelFolder<C> {
  /** Folder of the config and the weights. */
  readonly folder: string
  /** The folder that was named: an adapter's, or `folder` itself. */
  readonly given: string
  /** Of a model of the Hub, whose folder is then in the cache. */
  readonly id?: ModelId | undefined
  /** Config of the model with its adapter, whose vocabulary may be larger than that of the weights. */
  readonly config: C
  /** Vocabulary size of the folder's weights. */
  readonly rows: number
  readonly tokenizer: Tokenizer.Tokenizer
  /** The adapter to apply to the weights. */
  readonly adapter: Peft.Adapter | undefined
  /** How tensor names map to parameters, and which tensors may be missing. */
  readonly loading?: Options
  /** What adapters call a module or a parameter, if not by its name in the folder. */
  readonly inAdapters?: (path: string) => string
}

/** The name of an adapter's base: a path from the working directory or the adapter's folder, or an id of the Hub. */
const baseOf = Effect.fnUntraced(function*(adapter: Pick<Peft.Adapter, "folder" | "config">) {
  const [path, place] = [join(adapter.folder, Peft.CONFIG), "base_model_name_or_path"]
  const name = adapter.config.base_model_name_or_path ?? ""
  for (const folder of name === "" ? [] : [name, Path.resolve(adapter.folder, name)]) {
    if (yield* Effect.orElseSucceed(Peft.isIn(folder), () => false)) {
      const reason = `${folder} is an adapter itself; merge it first (anamnesis merge)`
      return yield* new FileError({ path, place, reason })
    }
    if (yield* isFile(folder)) {
      const refused = ({ message }: FileError) => new FileError({ path, place, reason: `is no model: ${message}` })
      return yield* Effect.as(Effect.mapError(Effect.scoped(Gguf.open(folder)), refused), folder)
    }
    if (yield* Effect.orElseSucceed(exists(join(folder, modelFiles.config)), () => false)) return folder
  }
  const named = Peft.baseName(adapter.config)
  if (parse(named) !== undefined) return named
  return yield* new FileError({
    path,
    place,
    reason: `there is no model folder ${brief(name)}; write there where it is`
  })
})

/** SHA-256 of the bytes of the folder's weight files, in the order of their names, or of a GGUF file; `undefined` if it has none. */
export const fingerprint = Effect.fnUntraced(function*(folder: string) {
  if (yield* isFile(folder)) return yield* hashFile(folder)
  const fs = yield* FileSystem.FileSystem
  const names = yield* fs.readDirectory(folder).pipe(located(folder))
  const files = names.filter((name) => /^model.*\.safetensors$/.test(name)).toSorted()
  if (files.length === 0) return undefined
  const hash = createHash("sha256")
  for (const name of files) {
    const path = join(folder, name)
    yield* Stream.runForEach(fs.stream(path, { chunkSize: 2 ** 20 }), (bytes) => Effect.sync(() => hash.update(bytes)))
      .pipe(located(path))
  }
  return hash.digest("hex")
})

/**
 * Refuses a base other than the one the adapter was trained on, if the adapter records it. Reads the whole base unless
 * its fingerprint is given: to be called once, by whoever uses the weights.
 */
export const checkBase = Effect.fnUntraced(function*(adapter: Peft.Adapter, folder: string, sha256?: string) {
  if (adapter.base === undefined || adapter.base === (sha256 ?? (yield* fingerprint(folder)))) return
  const reason = `was trained on other weights than ${folder} now holds`
  return yield* new FileError({ path: join(adapter.folder, Peft.WEIGHTS), place: "", reason })
})

/** The model folder and, given an adapter folder, the adapter on it; `checkBase` is left to the caller. */
export const resolve = Effect.fnUntraced(function*(given: string) {
  const own = yield* locate(given)
  if (!(yield* Peft.isIn(own.folder))) return { ...own, given: own.folder, adapter: undefined }
  const adapter = yield* Peft.read(own.folder)
  const base = yield* locate(yield* baseOf(adapter))
  if (base.id === undefined || !(yield* Peft.isIn(base.folder))) return { ...base, given: own.folder, adapter }
  const reason = `${base.id.repo} is an adapter itself; merge it first (anamnesis merge)`
  return yield* new FileError({ path: join(own.folder, Peft.CONFIG), place: "base_model_name_or_path", reason })
})

/** An adapter on a base of one's choice, which must not be an adapter itself; `checkBase` is left to the caller. */
export const resolveOn = Effect.fnUntraced(function*(adapter: string, on: string) {
  const [own, base] = [yield* locate(adapter), yield* locate(on)]
  const fail = (path: string, reason: string) => new FileError({ path, place: "", reason })
  if (!(yield* Peft.isIn(own.folder))) return yield* fail(own.folder, `is no adapter: it has no ${Peft.CONFIG}`)
  if (yield* Peft.isIn(base.folder)) {
    return yield* fail(base.folder, "is an adapter itself; merge it first (anamnesis merge)")
  }
  return { ...base, given: own.folder, adapter: yield* Peft.read(own.folder) }
})

/** A model by its name: `organisation/name@commit` of one of the Hub, a folder's path otherwise. */
export interface Pinned {
  readonly name: string
  /** The name of an adapter's base. */
  readonly base: string | undefined
}

/**
 * Fetches a model of the Hub, and the base of an adapter, unless the cache has them; to be called before a model is
 * opened by its name. Fails with `HubError` if they cannot be had.
 */
export const pinned = Effect.fnUntraced(function*(name: string) {
  const own = yield* pin(name)
  const { folder } = yield* locate(own)
  if (!(yield* Effect.orElseSucceed(Peft.isIn(folder), () => false))) return { name: own, base: undefined } as Pinned
  const base = yield* baseOf({ folder, config: yield* Peft.readConfig(join(folder, Peft.CONFIG)) })
  return { name: own, base: yield* pin(base) } satisfies Pinned as Pinned
})

/** Reads a folder's config and tokenizer; fails with `FileError` if either is invalid. */
export const open = Effect.fnUntraced(function*<C extends { readonly vocab_size: number }>(
  name: string,
  decode: Decode<C>
) {
  const { adapter, folder, given, id } = yield* resolve(name)
  const path = join(folder, modelFiles.config)
  const found = yield* decodeFile(path, (json) => decode(json, path))
  const rows = found.vocab_size
  const config = { ...found, vocab_size: (adapter && (yield* Peft.vocabulary(adapter))) ?? rows }
  const own = yield* exists(join(given, modelFiles.tokenizer))
  const tokenizer = yield* Tokenizer.load(own ? given : folder)
  if (tokenizer.size > config.vocab_size) {
    const reason = `${config.vocab_size} are fewer than the ids of tokenizer.json (${tokenizer.size})`
    return yield* new FileError({ path, place: "vocab_size", reason })
  }
  return { folder, given, id, config, rows, tokenizer, adapter } satisfies ModelFolder<C> as ModelFolder<C>
})

/** Refuses lengths, by setting, that exceed the model's positions. */
export const fits = (
  folder: string,
  { max_position_embeddings }: { readonly max_position_embeddings: number },
  lengths: Readonly<Record<string, number>>
): Effect.Effect<void, FileError> => {
  const long = Object.entries(lengths).filter(([, length]) => length > max_position_embeddings)
  if (long.length === 0) return Effect.void
  const reason = `${max_position_embeddings} positions are fewer than ${long.map(([s, n]) => `${s} (${n})`).join(", ")}`
  return Effect.fail(new FileError({ path: join(folder, modelFiles.config), place: "max_position_embeddings", reason }))
}

/** Refuses an odd number of heads, which shifted attention cannot halve. */
export const shifts = (
  folder: string,
  { num_attention_heads }: { readonly num_attention_heads: number }
): Effect.Effect<void, FileError> => {
  if (num_attention_heads % 2 === 0) return Effect.void
  const reason = `${num_attention_heads} heads have no halves to shift apart; set use_full_attn: true`
  return Effect.fail(new FileError({ path: join(folder, modelFiles.config), place: "num_attention_heads", reason }))
}

/** Refuses a folder without weights, unless it is marked as untrained and `draws` is set. */
const drawable = Effect.fnUntraced(function*(folder: string, draws: boolean) {
  const marked = yield* exists(join(folder, UNTRAINED))
  if (marked && draws) return
  const reason = marked
    ? "has no weights yet; train it first"
    : `has no weights (${modelFiles.weights}); ${UNTRAINED} beside its config says that a model is to be trained from nothing`
  return yield* new FileError({ path: folder, place: "", reason })
})

/** Logs which weights are initialised. */
const tell = (folder: string, missing: ReadonlyMap<string, unknown>, all: boolean, seed: number) => {
  const what = all ? "all weights" : [...missing.keys()].join(", ")
  return missing.size === 0 ? Effect.void : Effect.logInfo(`${folder}: ${what} drawn under seed ${seed}`)
}

/**
 * The folder's weights in the storage dtypes of its parameters, or packed, owned by the caller. Initialised from the seed if the
 * folder is marked as untrained, and where it lacks a dispensable tensor.
 */
export const stored = Effect.fnUntraced(
  function*(folder: string, params: Flat, seed: number, options: Options = {}) {
    const { dispensable = () => false, draws = false, naming = (stored) => stored, pack, twins = new Map() } = options
    const sources = yield* WeightFiles.open(folder)
    if (!sources) yield* drawable(folder, draws)
    const found = sources
      ? yield* WeightFiles.load(folder, params, sources, { naming, dispensable, twins, ...(pack ? { pack } : {}) })
      : new Map<string, Values>()
    const missing = new Map([...params].filter(([path]) => !isHeld(path, found)))
    yield* tell(folder, missing, sources === undefined, seed)
    const drawn = initialise(missing, Key.fold(Key.make(seed), "initialise"))
    for (const [path, values] of drawn) found.set(path, asStored(params.get(path), values))
    return found
  },
  Effect.scoped
)

/** The same for parameters that are all float32. */
export const weights = (...given: Parameters<typeof stored>) =>
  Effect.map(stored(...given), (values) => values as Map<string, Float32Array>)

/** The files that a checkpoint needs besides weights to be a model folder itself. */
export const companions = Effect.fnUntraced(function*(folder: string) {
  const names: ReadonlyArray<string> = [
    modelFiles.config,
    modelFiles.generation,
    modelFiles.tokenizer,
    modelFiles.tokenizerConfig,
    modelFiles.specialTokens,
    modelFiles.chatTemplate,
    modelFiles.processorTemplate,
    modelFiles.preprocessor,
    modelFiles.processor
  ]
  const present = yield* Effect.filter(names, (name) => exists(join(folder, name)))
  return yield* Effect.forEach(
    present,
    (name) => Effect.map(readText(join(folder, name)), (text) => [name, text] as const)
  )
})
