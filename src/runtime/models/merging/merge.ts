/** Merges models by a config into a new model folder: everything is checked first, then one tensor at a time is merged. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { modelFiles } from "../../../domain/fileNames.ts"
import * as Key from "../../../domain/Key.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { FileError, makeFolder, writeDurably } from "../../files/disk.ts"
import { exists, readJson } from "../../files/model.ts"
import * as Shards from "../../files/safetensors/shards.ts"
import { companions, filesIn, vacant, whole } from "../export/folder.ts"
import type { MergeConfig } from "./config.ts"
import { rounded, type Uniform, Unmergeable } from "./group.ts"
import { encodingFiles, LM_HEAD, type Model, open, type Reference } from "./models.ts"
import * as Plan from "./plan.ts"
import { resolve, type Target, type Tokenizers } from "./tokenizers.ts"
import { aligned, permutation } from "./vocabulary.ts"

type Json = Readonly<Record<string, unknown>>

/** Random numbers for a model's tensor. */
export type Draw = (model: string, tensor: string) => Uniform

/** How a merge is carried out. */
export interface Options {
  /** Where the config is from, for messages. */
  readonly source: string
  readonly config: MergeConfig
  /** Models as they are opened, by their names in the config, and that of `tokenizerSource` if it is one. */
  readonly references: ReadonlyMap<string, Reference>
  readonly draw: Draw
  readonly maxShardSize: number
}

/** Draws of a seed: a random number depends on the seed, the model's name, the tensor's and the element, nothing else. */
export const drawing = (seed: number): Draw => (model, tensor) => {
  const key = Key.fold(Key.make(seed), "merge", model, tensor)
  let [at, pair] = [-1, { hi: 0, lo: 0 }]
  return (i) => {
    const half = Math.floor(i / 2)
    if (half !== at) [at, pair] = [half, Key.block(key, 0, half)]
    return (i % 2 === 0 ? pair.hi : pair.lo) / 2 ** 32
  }
}

/** The names of a config's models, the base first and then as they are listed; the first is the donor of all but weights. */
export const namesIn = ({ base, models, slices = [] }: MergeConfig): ReadonlyArray<string> => {
  const listed = [...models, ...slices.flatMap(({ sources }) => sources)].map(({ model }) => model)
  const bases = slices.flatMap((slice) => slice.base ?? [])
  return [...new Set([...base === undefined ? [] : [base], ...listed, ...bases])]
}

/** Whether a tokenizer is taken from a model that is named. */
const isModel = (source: string | undefined): source is string =>
  source !== undefined && source !== "base" && source !== "union"

/** The models of a merge, open, and what their tokenizers come to. */
export interface Opened {
  readonly models: ReadonlyMap<string, Model>
  readonly donor: Model
  readonly tokenizers: Tokenizers
}

/** A merge whose models are open and whose plan has no problems. */
export interface Prepared extends Opened {
  readonly options: Options
  readonly plan: Plan.Plan
}

/** Tensors that models have for nothing: buffers and copies of tied weights. */
const isBuffer = (name: string): boolean => /(inv_freq|position_ids)$/.test(name) || name === LM_HEAD

/** Opens the models of a config until the scope ends. */
export const openAll = Effect.fnUntraced(
  function*({ config, references }: Pick<Options, "config" | "references">) {
    const opened = new Map<string, Model>()
    for (
      const name of new Set([...namesIn(config), ...isModel(config.tokenizerSource) ? [config.tokenizerSource] : []])
    ) {
      opened.set(name, yield* open(name, references.get(name) ?? { model: name }))
    }
    const models = new Map(namesIn(config).map((name) => [name, opened.get(name)!]))
    const [donor] = models.values() as Iterator<Model> & Iterable<Model>
    const { tokenizerSource: given } = config
    const tokenizers = yield* resolve(
      [...models.values()],
      donor!,
      isModel(given) ? opened.get(given) : given as "base" | "union" | undefined
    )
    return { models, donor: donor!, tokenizers } satisfies Opened as Opened
  }
)

/** Plans a merge of open models, whose names and tokenizer setting are the config's; fails with all problems. */
export const planned = Effect.fnUntraced(function*({ donor, models, tokenizers }: Opened, options: Options) {
  const { config, source } = options
  const plan = Plan.make({ config, models, donor, rows: tokenizers.target?.rows })
  const problems = [...plan.problems, ...tokenizers.problems]
  if (problems.length > 0) return yield* new ConfigError({ source, problems })
  return { options, models, donor, plan, tokenizers } satisfies Prepared as Prepared
})

/** Files by which models encode texts and which the merged model has otherwise, or not at all: it takes them from the donor. */
const encodedApart = ({ donor, models }: Opened): ReadonlyArray<string> =>
  encodingFiles.flatMap((file) => {
    const own = donor.encoding.get(file)
    const others = [...models.values()].filter(({ encoding }) => encoding.has(file) && encoding.get(file) !== own)
    if (others.length === 0) return []
    const names = others.map(({ name }) => name).join(", ")
    return [
      own === undefined
        ? `${donor.name} has no ${file}, so that the merged model has none: the prompts, pooling and lengths that it states for `
          + `${names} are lost, and have to be set where the merged model is used`
        : `${file} differs in ${names}; the merged model encodes texts as that of ${donor.name} says`
    ]
  })

/** What a user should know of open models before they are merged. */
export const notesOf = (opened: Opened): ReadonlyArray<string> => {
  const { models, tokenizers } = opened
  const unused = [...models.values()].flatMap((model) =>
    model.unused.filter((name) => !isBuffer(name)).map((name) =>
      `${model.name}: ${name} is left out; no model here uses it`
    )
  )
  return [...tokenizers.notes, ...encodedApart(opened), ...unused]
}

/** Opens the models and plans the merge; fails with all problems, before anything is written. */
export const prepare = Effect.fnUntraced(function*(options: Options) {
  const opened = yield* openAll(options)
  const prepared = yield* planned(opened, options)
  yield* Effect.forEach(notesOf(opened), (note) => Effect.logWarning(note))
  return prepared
})

/** An input's values, rounded to the type that they are merged in. */
const valuesOf = Effect.fnUntraced(function*({ model, tensor }: Plan.Part, { dtype }: Plan.Step) {
  const read = yield* tensor.values
  /** An adapter keeps its own tensors in memory. */
  const values = model.folders.length > 1 ? read.slice() : read
  if (tensor.type === dtype || dtype === "float32") return values
  const round = rounded(dtype)
  for (let i = 0; i < values.length; i++) values[i] = round(values[i]!)
  return values
})

/** A step's values: read, aligned if they are a table of tokens, merged. */
const merged = Effect.fnUntraced(function*({ options, tokenizers }: Prepared, step: Plan.Step) {
  const { config: { method }, draw, source } = options
  const { dtype, name, parts, shape, shared } = step
  const read = yield* Effect.forEach(parts, (part) => valuesOf(part, step))
  const { own, target } = tokenizers
  const base = parts.findIndex(({ model }) => model.name === options.config.base)
  const tables = target === undefined || !step.table ? read : aligned(
    read,
    {
      permutations: parts.map(({ model }) => permutation(target.tokens, own.get(model)!, target.rows)),
      base: base < 0 ? undefined : base
    },
    shape.slice(1).reduce((n, size) => n * size, 1),
    dtype
  )
  const inputs = parts.map(({ isBase, model, parameters, tensor }, k) => ({
    values: tables[k]!,
    isBase,
    parameters,
    uniform: draw(model.name, tensor.name)
  }))
  return yield* Effect.try({
    try: () => method.merge({ shape, dtype, inputs, shared }),
    catch: (cause) => {
      if (!(cause instanceof Unmergeable)) throw cause
      return new FileError({ path: source, place: name, reason: cause.message })
    }
  })
})

const specials = ["bos_token_id", "eos_token_id", "pad_token_id"]

/** `config.json` of the output: the donor's, with what the merge changes. */
const configOf = ({ donor, options, plan, tokenizers: { target } }: Prepared, dtype: Shards.SavedType): Json => {
  const own = Object.fromEntries(Object.entries(donor.config).filter(([key]) => key !== "torch_dtype"))
  const apart = donor.tied && plan.steps.some(({ name }) => name === LM_HEAD) ? { tie_word_embeddings: false } : {}
  const types = plan.origins.map(([{ config }, layer]) =>
    (config["layer_types"] as ReadonlyArray<unknown> | undefined)?.[layer]
  )
  const sliced = options.config.slices === undefined ? {} : {
    num_hidden_layers: plan.layers,
    ...(Array.isArray(own["layer_types"]) ? { layer_types: types } : {})
  }
  const from = target?.from.config ?? {}
  const ids = target && target.from !== donor
    ? Object.fromEntries(specials.filter((key) => key in from || key in own).map((key) => [key, from[key] ?? null]))
    : {}
  return { ...own, ...apart, ...sliced, ...ids, ...(target ? { vocab_size: target.rows } : {}), dtype }
}

/** The configs of sentence-transformers' modules. */
const modulesOf = Effect.fnUntraced(function*({ folders }: Model) {
  for (const folder of folders) {
    const path = join(folder, modelFiles.modules)
    if (!(yield* exists(path))) continue
    const modules = (yield* readJson(path)) as ReadonlyArray<{ readonly path: string }>
    return modules.filter((module) => module.path !== "").map((module) => join(module.path, modelFiles.config))
  }
  return []
})

const bytesOf = (json: Json): Uint8Array => new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`)

/** All files but the weights, by name. */
const files = Effect.fnUntraced(function*(prepared: Prepared, dtype: Shards.SavedType) {
  const { donor, tokenizers: { target } } = prepared
  const { files: changed, from }: Pick<Target, "files" | "from"> = target ?? { files: new Map(), from: donor }
  const [ofTokens, own] = [companions.filter((name) => !encodingFiles.includes(name)), [
    ...encodingFiles,
    ...yield* modulesOf(donor)
  ]]
  return new Map([
    ...yield* filesIn(from.folders, ofTokens),
    ...yield* filesIn(donor.folders, own),
    ...[...changed].map(([name, json]) => [name, bytesOf(json)] as const),
    [modelFiles.config, bytesOf(configOf(prepared, dtype))] as const
  ])
})

/** A tensor's folder within the model's, and its name in the file there: those of dense layers have folders. */
const placeOf = (stored: string): readonly [folder: string, name: string] => {
  const [, folder, name] = /^(\d+_Dense)\.(.+)$/.exec(stored) ?? []
  return folder === undefined ? ["", stored] : [folder, name!]
}

/** A model folder that a merge has written. */
export interface Saved {
  readonly folder: string
  readonly method: string
  /** Of the config; single tensors may have another, if the models' types differ. */
  readonly dtype: Shards.SavedType
  readonly tensors: number
  readonly weights: number
  readonly files: ReadonlyArray<string>
}

/**
 * Carries out a prepared merge: writes a new folder whole, or not at all, with `more` files of texts beside the model's. In
 * memory are, at a time, one tensor as all models have it, and the result.
 */
export const save = Effect.fnUntraced(function*(prepared: Prepared, out: string, more: ReadonlyMap<string, string>) {
  const { options, plan } = prepared
  const { config, maxShardSize } = options
  yield* vacant(out)
  const types = new Set(plan.steps.map(({ dtype }) => config.outDtype ?? dtype))
  const dtype = types.size === 1 ? [...types][0]! : "float32"
  const texts = yield* files(prepared, dtype)
  for (const [name, text] of more) texts.set(name, new TextEncoder().encode(text))
  const tensors = plan.steps.map((step) => {
    const [folder, name] = placeOf(step.stored)
    return { folder, name, shape: step.shape, dtype: config.outDtype ?? step.dtype, values: merged(prepared, step) }
  })
  const written = yield* whole(out, (folder) =>
    Effect.gen(function*() {
      const names: Array<string> = []
      for (const [within, own] of Map.groupBy(tensors, (tensor) => tensor.folder)) {
        yield* makeFolder(join(folder, within))
        const made = yield* Shards.write(join(folder, within), own, { dtype, maxShardSize })
        names.push(...made.map((name) => join(within, name)))
      }
      for (const [name, bytes] of texts) {
        yield* makeFolder(join(folder, name, ".."))
        yield* writeDurably(join(folder, name), bytes)
      }
      return [...names, ...texts.keys()].toSorted()
    }))
  return {
    folder: out,
    method: config.name,
    dtype,
    tensors: plan.steps.length,
    weights: Plan.weightsIn(plan),
    files: written
  } satisfies Saved as Saved
})
