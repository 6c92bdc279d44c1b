/** A model folder's module with its weights: all its own, or frozen under a trainable adapter. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { join } from "node:path"
import * as Key from "../../domain/Key.ts"
import * as Nd from "../../kernels/NdArray.ts"
import { adapt } from "../../kernels/nn/lora.ts"
import { type Flat, flatten, type Module, type Params } from "../../kernels/nn/Module.ts"
import { Session, type SessionError } from "../engine/Session.ts"
import * as Weights from "../engine/Weights.ts"
import { FileError } from "../files/disk.ts"
import * as Peft from "../files/peft.ts"
import * as WeightFiles from "../files/weights.ts"
import {
  type Arrays,
  atRest,
  baseWeights,
  type Build,
  frozenAs,
  type Keyed,
  type Opened,
  type Storage,
  untie,
  untied
} from "./base.ts"
import * as ModelFolder from "./folder.ts"
import { initialise } from "./initialise.ts"
import * as Adapters from "./lora.ts"
import * as Budget from "./memoryBudget.ts"
import * as Folding from "./mergeLora.ts"
import * as Quantisation from "./quantisation.ts"

/** What loading a model requires: files to read, and a session to run in. */
export type Surroundings = Session | FileSystem.FileSystem
/** Why a model cannot be loaded. */
export type LoadError = FileError | SessionError

/** What a checkpoint records of an adapter. */
export interface Based {
  /** SHA-256 of the frozen weights. */
  readonly sha256: string
  /** `adapter_config.json`. */
  readonly config: string
  /** What its file calls a parameter. */
  readonly named: (path: string) => string
}

/** A model that can run. */
export interface Loaded<C, M> {
  readonly module: M
  readonly config: C
  readonly weights: Weights.Weights
  /** The base of the weights, if an adapter is trained. */
  readonly based: Based | undefined
}

/** What is trained, and how the rest is stored. */
export interface LoadOptions extends Storage {
  readonly seed: number
  /** Settings of the adapter to train; without them, the parameters for which `learns` holds are trained. */
  readonly lora: Adapters.LoraSettings | undefined
  readonly learns: (path: string) => boolean
  readonly slots: ReadonlyArray<string>
  /** Initialise the weights of a folder marked as untrained. */
  readonly draws?: boolean
  /** PEFT's `task_type`. */
  readonly task: "CAUSAL_LM" | "FEATURE_EXTRACTION"
}

/** Refuses an adapter that added tokens without saving the enlarged tables. */
const grown = (values: Arrays, params: Flat, folder: string): Effect.Effect<void, FileError> => {
  const short = [...params].filter(([path, { shape }]) => values.get(path)!.length !== Nd.size(shape))
  if (short.length === 0) return Effect.void
  const told = short.map(([path, { shape }]) => `${path} [${shape.join()}]`).join(", ")
  const reason = `added tokens, for which it lacks ${told}; save these modules with it (modules_to_save)`
  return Effect.fail(new FileError({ path: join(folder, Peft.WEIGHTS), place: "", reason }))
}

/** Refuses to continue training an adapter under settings that would define another. */
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
  { folder, id, inAdapters = (path) => path }: Pick<Opened<unknown>, "folder" | "id" | "inAdapters">,
  task: string
): string =>
  Peft.text({
    ...lora,
    base_model_name_or_path: id?.repo ?? folder,
    ...(id === undefined ? {} : { revision: id.revision }),
    target_modules: target_modules.map(inAdapters),
    modules_to_save: modules_to_save.length === 0 ? null : modules_to_save
  }, task)

const baseless = (folder: string) =>
  new FileError({
    path: folder,
    place: "",
    reason: "has no weights for an adapter to rest on; train them first (lora_r 0)"
  })

/** Parameters without values in the folder. */
const drawn = Effect.fnUntraced(function*({ folder, loading }: Opened<unknown>, params: Flat) {
  const naming = loading?.naming ?? ((stored: string) => stored)
  const found = new Set([...(yield* WeightFiles.shapes(folder)) ?? []].map(([name]) => naming(name)))
  return [...params.keys()].filter((path) => !found.has(path))
})

/** Refuses a model that does not fit into memory, before any of it is allocated. */
const affordable = (
  { config, folder }: Opened<object>,
  params: Params,
  trainable: (path: string) => boolean,
  { slots }: Pick<LoadOptions, "slots">,
  more: Readonly<Record<string, number>> = {}
) => Budget.fits({ folder, sizes: { ...config, ...more }, params: flatten(params), trainable, slots: slots.length })

/** The module with adapters over frozen weights, and the values of those. */
const onBase = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: LoadOptions,
  { lora, saved }: Adapters.Adapted,
  learns: (path: string) => boolean,
  rank: Readonly<Record<string, number>> = {}
) {
  const config = untied(opened.config)
  const base = build(config)
  const adapted = adapt(base, lora)
  const module = frozenAs(adapted, options, (path) => !saved.includes(path) && !Adapters.isLora(path))
  yield* affordable(opened, module.params, learns, options, rank)
  const values = yield* baseWeights(opened, build, options, base, saved)
  return { config, base, adapted, module, values }
})

/** Puts an adapter's own values, which must fit, among those of its base. */
const put = Effect.fnUntraced(function*(adapter: Peft.Adapter, values: Arrays, base: Params, module: Params) {
  yield* Folding.fitting(adapter, shapesOf(flatten(base)))
  for (const [path, { data }] of adapter.tensors) values.set(path, data)
  yield* grown(values, flatten(module), adapter.folder)
})

/** The module with trainable adapters over frozen weights: new adapters, or those of the folder. */
const adapting = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: LoadOptions & { readonly lora: Adapters.LoraSettings }
) {
  const { adapter, folder } = opened
  const rank = options.task === "CAUSAL_LM" ? "lora_r" : "retriever_lora_r"
  const sha256 = yield* ModelFolder.fingerprint(folder)
  if (sha256 === undefined) return yield* baseless(folder)
  if (adapter) yield* ModelFolder.checkBase(adapter, folder, sha256)
  const own = yield* drawn(opened, flatten(build(opened.config).params))
  const asked = yield* Adapters.resolve(options.lora, flatten(build(untied(opened.config)).params), own, folder)
  const learns = (path: string) => Adapters.isLora(path) || asked.saved.includes(path)
  const { adapted, base, config, module, values } = yield* onBase(opened, build, options, asked, learns, {
    [rank]: options.lora.r
  })
  const added = new Map([...flatten(adapted.params)].filter(([path]) => Adapters.isLora(path)))
  const trainable = [...added.keys(), ...asked.saved]
  if (adapter) {
    yield* alike(adapter, asked)
    yield* put(adapter, values, base.params, module.params)
  } else {
    for (const [path, data] of initialise(added, Key.fold(Key.make(options.seed), "adapter"))) values.set(path, data)
  }
  const { kept } = yield* Session
  const weights = Weights.make(flatten(module.params), trainable, options.slots, values, { kept })
  const based: Based = {
    sha256,
    config: peftConfig(options.lora, asked, opened, options.task),
    named: (path) => Peft.PREFIX + (opened.inAdapters?.(path) ?? path)
  }
  return { module, config, weights, based }
})

const shapesOf = (params: Flat) => new Map([...params].map(([path, { shape }]) => [path, shape]))

/** The folder's adapter on its base, as it was trained: a quantised base cannot take it in. */
const resting = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  adapter: Peft.Adapter,
  build: Build<C, P, I, O>,
  options: LoadOptions
) {
  yield* ModelFolder.checkBase(adapter, opened.folder)
  const asked = Adapters.ofAdapter(adapter)
  const { base, config, module, values } = yield* onBase(opened, build, options, asked, () => false)
  yield* put(adapter, values, base.params, module.params)
  return { module, config, values }
})

/** The weights to run with, the folder's adapter merged into them: float32. */
const folded = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  adapter: Peft.Adapter,
  build: Build<C, P, I, O>,
  { seed, slots }: LoadOptions
) {
  const { folder, loading } = opened
  const base = build(atRest(opened)).params
  yield* affordable(opened, base, () => false, { slots })
  yield* ModelFolder.checkBase(adapter, folder)
  const values = yield* ModelFolder.stored(folder, flatten(base), seed, loading)
  const config = Folding.parts(adapter) ? untied(opened.config) : opened.config
  const module = build(config)
  untie(values, flatten(module.params), [])
  const shapes = shapesOf(flatten(module.params))
  yield* Folding.fitting(adapter, shapes)
  const fold = yield* Folding.make(adapter)
  for (const [path, shape] of shapes) values.set(path, yield* fold(path, values.get(path) as Float32Array, shape))
  yield* grown(values, flatten(module.params), adapter.folder)
  return { module, config, values }
})

/** The folder's weights, of which the frozen ones may be stored in half precision or quantised. */
const whole = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: LoadOptions
) {
  const { config, folder, loading } = opened
  const { draws = false, learns, quantisation, seed } = options
  const frozen = (path: string) => !learns(path)
  const base = build(config)
  const module = frozenAs(base, options, frozen)
  yield* affordable(opened, module.params, learns, options)
  if (!quantisation) {
    const values = yield* ModelFolder.stored(folder, flatten(module.params), seed, { ...loading, draws })
    return { module, config, values }
  }
  if ([...flatten(base.params).keys()].some(learns)) return yield* trained(folder)
  const { pack, tell } = Quantisation.packer(quantisation, frozen)
  const values = yield* ModelFolder.stored(folder, flatten(base.params), seed, { ...loading, draws, pack })
  yield* tell(folder)
  return { module, config, values }
})

/** The error for quantising weights that are trained. */
const trained = (folder: string) =>
  new FileError({
    path: folder,
    place: "",
    reason: "its weights are trained, and only frozen ones can be quantised; train an adapter, or quantise nothing"
  })

/** The module that `build` makes from the folder's config, with the folder's weights. */
export const load = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  given: LoadOptions
) {
  const options = given.quantisation
    ? { ...given, quantisation: yield* Quantisation.over(opened, given.quantisation) }
    : given
  const { learns, lora, slots } = options
  if (lora) return (yield* adapting(opened, build, { ...options, lora })) as Loaded<C, Module<P, [I], O>>
  const merged = options.quantisation ? resting : folded
  const { config, module, values } = opened.adapter
    ? yield* merged(opened, opened.adapter, build, options)
    : yield* whole(opened, build, options)
  const params = flatten(module.params)
  const { kept } = yield* Session
  const weights = Weights.make(params, [...params.keys()].filter(learns), slots, values, { kept })
  return { module, config, weights, based: undefined } as Loaded<C, Module<P, [I], O>>
})
