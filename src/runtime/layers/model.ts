/** A model folder's module with its weights: all its own, or frozen under an adapter that learns. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Key from "../../domain/Key.ts"
import { adapt } from "../../kernels/nn/lora.ts"
import { type Flat, flatten, type Module, type Params } from "../../kernels/nn/Module.ts"
import type { Tensor } from "../../kernels/Tensor.ts"
import * as Weights from "../engine/Weights.ts"
import * as Adapters from "./adapters.ts"
import { FileError } from "./files.ts"
import * as Folding from "./folding.ts"
import { initialise } from "./initialise.ts"
import * as ModelFolder from "./modelFolder.ts"
import * as Peft from "./peft.ts"
import * as WeightFiles from "./weightFiles.ts"

/** What a checkpoint tells of an adapter. */
export interface Based {
  /** SHA-256 of the frozen weights. */
  readonly sha256: string
  /** `adapter_config.json`. */
  readonly config: string
}

export interface Loaded<C, M> {
  readonly module: M
  readonly config: C
  readonly weights: Weights.Weights
  /** What the weights rest on, where an adapter learns. */
  readonly based: Based | undefined
}

export interface LoadOptions {
  readonly seed: number
  /** Settings of the adapter that learns; all parameters of which `learns` holds where there are none. */
  readonly lora: Adapters.LoraSettings | undefined
  readonly learns: (path: string) => boolean
  readonly slots: ReadonlyArray<string>
  /** PEFT's name of what the model is for. */
  readonly task: "CAUSAL_LM" | "FEATURE_EXTRACTION"
}

type Keyed = { readonly key?: Tensor | undefined }
type Build<C, P extends Params, I, O> = (config: C) => Module<P, [I], O>
type Arrays = Map<string, Float32Array>
/** All of a folder but its tokenizer. */
type Opened<C> = Omit<ModelFolder.ModelFolder<C>, "tokenizer">

/**
 * The config and weights as PEFT sees them: adapters belong to modules, so that a tied head keeps the base's weights
 * while the embedding learns. The array stays the same one.
 */
const untied = <C extends object>(config: C, weights: Arrays): C => {
  if (!("tie_word_embeddings" in config && config.tie_word_embeddings)) return config
  weights.set(Folding.HEAD, weights.get(Folding.EMBEDDING)!)
  return { ...config, tie_word_embeddings: false }
}

/** Refuses to go on with an adapter under settings that would make another. */
const alike = (adapter: Peft.Adapter, asked: Adapters.Adapted): Effect.Effect<void, FileError> => {
  const told = ({ lora, saved }: Adapters.Adapted) =>
    JSON.stringify([[...lora.targets].toSorted(([a], [b]) => a < b ? -1 : 1), saved.toSorted()])
  if (told(Adapters.ofAdapter(adapter)) === told(asked)) return Effect.void
  const reason =
    "has other ranks, factors or modules than the settings; give its own, or merge it first (anamnesis merge)"
  return Effect.fail(new FileError({ path: join(adapter.folder, Peft.CONFIG), place: "", reason }))
}

const peftConfig = (
  lora: Adapters.LoraSettings,
  { modules_to_save, target_modules }: Adapters.Named,
  folder: string,
  task: string
): string =>
  Peft.text({
    ...lora,
    base_model_name_or_path: folder,
    target_modules,
    modules_to_save: modules_to_save.length === 0 ? null : modules_to_save
  }, task)

const baseless = (folder: string) =>
  new FileError({
    path: folder,
    place: "",
    reason: "has no weights for an adapter to rest on; train them first (lora_r 0)"
  })

/** Parameters that the folder has no values of. */
const drawn = Effect.fnUntraced(function*({ folder, loading }: Opened<unknown>, params: Flat) {
  const naming = loading?.naming ?? ((stored: string) => stored)
  const found = new Set([...(yield* WeightFiles.shapes(folder)) ?? []].map(([name]) => naming(name)))
  return [...params.keys()].filter((path) => !found.has(path))
})

/** The module with adapters that learn, over frozen weights: new adapters, or those of the folder. */
const adapting = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: LoadOptions & { readonly lora: Adapters.LoraSettings },
  stored: Arrays
) {
  const { adapter, folder } = opened
  const sha256 = yield* ModelFolder.fingerprint(folder)
  if (sha256 === undefined) return yield* baseless(folder)
  const own = yield* drawn(opened, flatten(build(opened.config).params))
  const config = untied(opened.config, stored)
  const base = build(config)
  const asked = yield* Adapters.resolve(options.lora, flatten(base.params), own, folder)
  const module = adapt(base, asked.lora)
  const params = flatten(module.params)
  const added = new Map([...params].filter(([path]) => Adapters.isLora(path)))
  if (adapter) {
    yield* alike(adapter, asked)
    yield* Folding.fitting(adapter, shapesOf(flatten(base.params)))
    for (const [path, { data }] of adapter.tensors) stored.set(path, data)
  } else {
    for (const [path, data] of initialise(added, Key.fold(Key.make(options.seed), "adapter"))) stored.set(path, data)
  }
  if (asked.saved.includes(Folding.EMBEDDING)) stored.set(Folding.EMBEDDING, stored.get(Folding.EMBEDDING)!.slice())
  const weights = Weights.make(params, [...added.keys(), ...asked.saved], options.slots, stored)
  const based: Based = { sha256, config: peftConfig(options.lora, asked, folder, options.task) }
  return { module, config, weights, based }
})

const shapesOf = (params: Flat) => new Map([...params].map(([path, { shape }]) => [path, shape]))

/** The weights as they are to be used, an adapter of the folder folded in. */
const whole = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  { adapter, config: given }: Opened<C>,
  build: Build<C, P, I, O>,
  stored: Arrays
) {
  if (!adapter) return { module: build(given), config: given }
  const config = Folding.parts(adapter) ? untied(given, stored) : given
  const module = build(config)
  const shapes = shapesOf(flatten(module.params))
  yield* Folding.fitting(adapter, shapes)
  const folded = yield* Folding.make(adapter)
  for (const [path, shape] of shapes) stored.set(path, yield* folded(path, stored.get(path)!, shape))
  return { module, config }
})

/** The module that `build` makes of the folder's config, with the folder's weights. */
export const load = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: LoadOptions
) {
  const { folder, loading } = opened
  const stored = yield* ModelFolder.weights(folder, flatten(build(opened.config).params), options.seed, loading)
  const { learns, lora, slots } = options
  if (lora) return (yield* adapting(opened, build, { ...options, lora }, stored)) as Loaded<C, Module<P, [I], O>>
  const { config, module } = yield* whole(opened, build, stored)
  const params = flatten(module.params)
  const weights = Weights.make(params, [...params.keys()].filter(learns), slots, stored)
  return { module, config, weights, based: undefined } as Loaded<C, Module<P, [I], O>>
})
