/** What a merge will do, known from headers alone: each tensor's inputs and parameters, or all reasons why it cannot be. */
import * as Nd from "../../../kernels/NdArray.ts"
import { isTable } from "../../files/peft.ts"
import type { MergeConfig, Slice, Source } from "./config.ts"
import type { Dtype, Parameters } from "./group.ts"
import { layerOf, LM_HEAD, type Model, type Stored, tensorOf } from "./models.ts"
import { resolve } from "./parameters.ts"

/** A tensor of one of the inputs. */
export interface Part {
  readonly model: Model
  readonly tensor: Stored
  readonly isBase: boolean
  /** The model's own parameters for this tensor. */
  readonly parameters: Parameters
}

/** One tensor of the output. */
export interface Step {
  /** Our name, and the one that it is written under. */
  readonly name: string
  readonly stored: string
  readonly shape: ReadonlyArray<number>
  /** Whether it has a row for every token. */
  readonly table: boolean
  readonly parts: ReadonlyArray<Part>
  readonly shared: Parameters
  /** Type that it is merged in. */
  readonly dtype: Dtype
}

/** The models of a merge. */
export interface Inputs {
  readonly config: MergeConfig
  /** By their names in the config. */
  readonly models: ReadonlyMap<string, Model>
  /** The model whose config, names of tensors and other files are taken: the base, or the first one. */
  readonly donor: Model
  /** Rows of the output's tables, if the tokenizers are merged. */
  readonly rows: number | undefined
}

interface Slot {
  readonly name: string
  /** Names of the sources' tensors, in their order. */
  readonly names: ReadonlyArray<string>
  readonly slice: Slice
  readonly t: number
}

/** The slices of a merge; whole models are one slice, to which the base is added if it is not listed. */
const slicesOf = ({ config, donor, models }: Inputs): ReadonlyArray<Slice> => {
  if (config.slices) return config.slices
  const { base } = config
  const listed = config.models.some(({ model }) => model === base)
  const all: ReadonlyArray<Source> = base === undefined || listed
    ? config.models
    : [...config.models, { model: base, parameters: {} }]
  const layers = Math.min(donor.layers, ...[...models.values()].map((model) => model.layers))
  const range = [0, layers] as const
  return [{ sources: all.map(({ model, parameters }) => ({ model, parameters, range })), parameters: {} }]
}

/** Names of a model's tensors in a layer, without the layer's number. */
const namesIn = ({ tensors }: Model, layer: number): ReadonlyArray<string> =>
  [...tensors.keys()].filter((name) => layerOf(name)?.index === layer)

/** Tensors outside the layers: embeddings are merged as the first slice says, all others as the last. */
const outer = ({ donor, models }: Inputs, slices: ReadonlyArray<Slice>): ReadonlyArray<Slot> => {
  const own = [...donor.tensors.keys()].filter((name) => layerOf(name) === undefined)
  const heads = [...models.values()].some(({ tensors }) => tensors.has(LM_HEAD)) ? [LM_HEAD] : []
  return [...new Set([...own, ...heads])].map((name) => {
    const slice = slices.at(/embed/.test(name) ? 0 : -1)!
    return { name, names: slice.sources.map(() => name), slice, t: 0 }
  })
}

/** Tensors of the layers: numbered through in the output; gradients run over the layers of a slice. */
const inner = ({ models }: Inputs, slices: ReadonlyArray<Slice>): ReadonlyArray<Slot> => {
  let next = 0
  return slices.flatMap((slice) => {
    const [first] = slice.sources
    const [start, end] = first!.range!
    const count = end - start
    return Array.from({ length: count }, (_, offset) => {
      const index = next++
      return namesIn(models.get(first!.model)!, start + offset).map((name) => {
        const { after, before } = layerOf(name)!
        return {
          name: `${before}${index}${after}`,
          names: slice.sources.map(({ range }) => `${before}${range![0] + offset}${after}`),
          slice,
          t: count > 1 ? offset / (count - 1) : 1
        }
      })
    }).flat()
  })
}

/** The name that a tensor is written under: the donor's, for a layer of another number too. */
const storedAs = ({ tensors }: Model, name: string): string => {
  const own = tensors.get(name)
  if (own) return own.stored
  const layer = layerOf(name)
  if (!layer) return name
  const like = [...tensors.values()].find((tensor) => {
    const its = layerOf(tensor.name)
    return its?.before === layer.before && its.after === layer.after
  })
  const stored = like && layerOf(like.stored)
  return stored ? `${stored.before}${layer.index}${stored.after}` : name
}

const readable: ReadonlySet<string> = new Set(["float32", "float16", "bfloat16"])
const show = (shape: ReadonlyArray<number>): string => `[${shape.join()}]`

/** The widest of types: of two different ones, float32. */
const widest = (types: ReadonlyArray<string>): Dtype => new Set(types).size === 1 ? types[0] as Dtype : "float32"

/** Problems, of which those of many tensors are told once, with the first tensor and the count. */
class Problems {
  private readonly found = new Map<string, { readonly first: string; count: number }>()
  readonly add = (problem: string, tensor: string): void => {
    const known = this.found.get(problem)
    if (known) known.count++
    else this.found.set(problem, { first: tensor, count: 1 })
  }
  readonly told = (): ReadonlyArray<string> =>
    [...this.found].map(([problem, { count, first }]) =>
      `${problem} (${first}${count > 1 ? ` and ${count - 1} more` : ""})`
    )
}

/** The inputs of a slot, as far as they are there and fit each other. */
const partsOf = ({ config, models, rows }: Inputs, { name, names, slice, t }: Slot, problems: Problems) => {
  const base = slice.base ?? config.base
  const found = slice.sources.flatMap(({ model: of, parameters }, k) => {
    const model = models.get(of)!
    const tensor = tensorOf(model, names[k]!)
    if (tensor === undefined) {
      problems.add(`${of} lacks a tensor`, names[k]!)
      return []
    }
    if (!readable.has(tensor.type)) {
      problems.add(`${of}: ${tensor.type} is no type that weights are read from`, names[k]!)
    }
    const isBase = config.method.base !== "ignored" && of === base
    const kinds = isBase ? {} : config.method.own
    const { missing, values } = resolve(kinds, [parameters, slice.parameters, config.parameters], names[k]!, t)
    for (const key of missing) problems.add(`${key} of ${of} is missing`, names[k]!)
    return [{ model, tensor, isBase, parameters: values } satisfies Part as Part]
  })
  const aligns = rows !== undefined && isTable(name)
  const shaped = (shape: ReadonlyArray<number>) => show(aligns ? shape.slice(1) : shape)
  const [first] = found
  const other = found.find(({ tensor }) => shaped(tensor.shape) !== shaped(first!.tensor.shape))
  if (other) {
    const hint = isTable(name) && rows === undefined ? "; set tokenizer_source: union or base" : ""
    const [a, b] = [first!, other].map(({ model, tensor }) => `${show(tensor.shape)} in ${model.name}`)
    problems.add(`shapes differ: ${a}, ${b}${hint}`, name)
  }
  return found
}

const stepOf = (inputs: Inputs, slot: Slot, problems: Problems): ReadonlyArray<Step> => {
  const { config, donor, rows } = inputs
  const parts = partsOf(inputs, slot, problems)
  const [first] = parts
  if (first === undefined || parts.length < slot.names.length) return []
  const { name, slice, t } = slot
  const { missing, values } = resolve(config.method.shared, [slice.parameters, config.parameters], name, t)
  for (const key of missing) problems.add(`${key} is missing`, name)
  const own = parts.filter(({ isBase }) => !isBase).map(({ parameters }) => parameters)
  const table = isTable(name)
  const shape = table && rows !== undefined ? [rows, ...first.tensor.shape.slice(1)] : first.tensor.shape
  if (problems.told().length === 0) {
    const refused = config.method.refuses?.({ shared: values, own, shape })
    if (refused !== undefined) problems.add(refused, name)
  }
  return [{
    name,
    stored: storedAs(donor, name),
    shape,
    table,
    parts,
    shared: values,
    dtype: config.dtype ?? widest(parts.map(({ tensor }) => tensor.type))
  }]
}

/** Keys of configs that may differ between models: they do not change what the layers compute, or are the output's. */
const idle: ReadonlySet<string> = new Set([
  "attention_dropout",
  "bos_token_id",
  "eos_token_id",
  "hidden_dropout_prob",
  "initializer_range",
  "max_position_embeddings",
  "num_hidden_layers",
  "pad_token_id",
  "tie_word_embeddings",
  "vocab_size"
])

/** Where a model's config asks for another computation than the donor's. */
const traitsOf = ({ config, donor, models }: Inputs): ReadonlyArray<string> =>
  [...models.values()].filter((model) => model !== donor).flatMap(({ name, traits }) => {
    const keys = traits["model_type"] === donor.traits["model_type"]
      ? [...new Set([...Object.keys(donor.traits), ...Object.keys(traits)])]
      : ["model_type"]
    const sliced = config.slices ? "layer_types" : undefined
    return keys.filter((key) => !idle.has(key) && key !== sliced).flatMap((key) => {
      const [own, other] = [traits, donor.traits].map((all) => JSON.stringify(all[key]) ?? "absent")
      return own === other ? [] : [`${name}: ${key} is ${own}, in ${donor.name} ${other}`]
    })
  })

/** Tensors and layers that only some of the models have, and layers that a slice asks for in vain. */
const lengths = ({ config, donor, models }: Inputs): ReadonlyArray<string> => {
  if (config.slices) {
    return config.slices.flatMap(({ base, sources }, i) => {
      const wanted = base ?? config.base
      const lacks = config.method.base !== "ignored" && wanted !== undefined &&
        !sources.some(({ model }) => model === wanted)
      return [
        ...(lacks ? [`slices[${i}].sources: the base ${wanted} is not among them`] : []),
        ...sources.flatMap(({ model, range }) =>
          range![1] <= models.get(model)!.layers
            ? []
            : [`${model} has ${models.get(model)!.layers} layers, not ${range![1]}`]
        )
      ]
    })
  }
  return [...models.values()].flatMap(({ layers, name, tensors }) => {
    if (layers !== donor.layers) return [`${name} has ${layers} layers, ${donor.name} ${donor.layers}`]
    const more = [...tensors.keys()].filter((own) => own !== LM_HEAD && !donor.tensors.has(own))
    return more.length === 0
      ? []
      : [`${name} has ${more[0]}${more.length > 1 ? ` and ${more.length - 1} more` : ""}, which ${donor.name} lacks`]
  })
}

/** Layers of slices whose tensors are not those of the donor's layer in the same place, as the first of ModernBERT. */
const misplaced = ({ config, donor }: Inputs, slots: ReadonlyArray<Slot>): ReadonlyArray<string> => {
  if (!config.slices) return []
  const byLayer = Map.groupBy(slots, ({ name }) => layerOf(name)!.index)
  return [...byLayer].flatMap(([index, own]) => {
    const like = namesIn(donor, Math.min(index, donor.layers - 1)).map((name) => layerOf(name)!.after).toSorted()
    const has = own.map(({ name }) => layerOf(name)!.after).toSorted()
    return like.join() === has.join() ? [] : [`layer ${index} would not have the tensors that ${donor.name} has there`]
  })
}

/** A merge that is known to be possible, unless there are problems. */
export interface Plan {
  readonly steps: ReadonlyArray<Step>
  readonly problems: ReadonlyArray<string>
  readonly layers: number
  /** Of slices, the model and the layer that each layer of the output is first of. */
  readonly origins: ReadonlyArray<readonly [model: Model, layer: number]>
}

/** Plans the merge of models that are open. */
export const make = (inputs: Inputs): Plan => {
  const early = [...traitsOf(inputs), ...lengths(inputs)]
  if (early.length > 0) return { steps: [], problems: early, layers: 0, origins: [] }
  const [slices, problems] = [slicesOf(inputs), new Problems()]
  const layered = inner(inputs, slices)
  const slots = [...outer(inputs, slices), ...layered]
  const steps = slots.flatMap((slot) => stepOf(inputs, slot, problems))
  const origins = slices.flatMap(({ sources: [first] }) => {
    const [from, to] = first!.range!
    return Array.from({ length: to - from }, (_, i) => [inputs.models.get(first!.model)!, from + i] as const)
  })
  return { steps, problems: [...problems.told(), ...misplaced(inputs, layered)], layers: origins.length, origins }
}

/** Number of weights of a plan. */
export const weightsIn = ({ steps }: Plan): number => steps.reduce((n, { shape }) => n + Nd.size(shape), 0)
