/** The frozen base of a model: how its weights are stored, and how they are read. */
import * as Effect from "effect/Effect"
import { asStored, type Half, type Values } from "../../kernels/half.ts"
import { type Flat, flatten, type Module, type Param, type Params } from "../../kernels/nn/Module.ts"
import { isHeld, pathsOf, quantised } from "../../kernels/nn/quantised.ts"
import { stored } from "../../kernels/nn/stored.ts"
import type { Tensor } from "../../kernels/Tensor.ts"
import type { Source } from "../files/weights.ts"
import * as ModelFolder from "./folder.ts"
import * as Folding from "./mergeLora.ts"
import * as Quantisation from "./quantisation.ts"

/** Input of a module with dropout. */
export type Keyed = { readonly key?: Tensor | undefined }
/** A model of a config. */
export type Build<C, P extends Params, I, O> = (config: C) => Module<P, [I], O>
/** Values by parameter path. */
export type Arrays = Map<string, Values>
/** A model folder without its tokenizer and the name it was opened by. */
export type Opened<C> = Omit<ModelFolder.ModelFolder<C>, "tokenizer" | "given">

/** The config with an untied head, as in PEFT: adapters belong to modules, so a tied head gets weights of its own. */
export const untied = <C extends object>(config: C): C =>
  "tie_word_embeddings" in config && config.tie_word_embeddings ? { ...config, tie_word_embeddings: false } : config

/** The config of the folder's weights, without tokens that an adapter added. */
export const atRest = <C>({ config, rows }: Opened<C>): C => ({ ...config, vocab_size: rows })

/** How frozen weights are stored. */
export interface Storage {
  /** Storage dtype of frozen parameters; float32 by default. */
  readonly stored?: Half | undefined
  /** How frozen matrices are quantised, if they are; all other weights are then float32. */
  readonly quantisation?: Quantisation.Quantisation | undefined
}

/** The module with its frozen weights as they are stored. */
export const frozenAs = <P extends Params, I extends Keyed, O>(
  module: Module<P, [I], O>,
  { quantisation, stored: type }: Storage,
  frozen: (path: string) => boolean
): Module<P, [I], O> => {
  if (quantisation) return quantised(module, Quantisation.chosen(quantisation, frozen))
  return type === undefined ? module : stored(module, (path) => frozen(path) ? type : undefined)
}

/** Gives the untied head the embedding's weights; the two share their arrays unless one of them is trained. */
export const untie = (values: Arrays, params: Flat, saved: ReadonlyArray<string>): void => {
  const { embedding, head } = Folding.tablesOf(params.keys())
  if (!isHeld(head, params) || isHeld(head, values)) return
  const shared = values.get(embedding)
  if (shared === undefined) {
    for (const path of pathsOf(embedding, values)) values.set(path.replace(embedding, head), values.get(path)!)
    return
  }
  values.delete(embedding)
  for (const path of [head, embedding]) {
    values.set(path, asStored(params.get(path), saved.includes(path) ? shared.slice() : shared))
  }
}

/** The base weights under an adapter, by path. */
export const baseWeights = Effect.fnUntraced(function*<C extends object, P extends Params, I extends Keyed, O>(
  opened: Opened<C>,
  build: Build<C, P, I, O>,
  options: Storage & { readonly seed: number },
  module: Module<P, [I], O>,
  saved: ReadonlyArray<string>
) {
  const { folder, loading } = opened
  const { quantisation, seed } = options
  const config = atRest(opened)
  const tied = config !== untied(config)
  const { embedding, head } = Folding.tablesOf(flatten(module.params).keys())
  const apart = (path: string) => tied && path === embedding && (saved.includes(head) || saved.includes(embedding))
  const frozen = (path: string) => !saved.includes(path)
  const params = flatten(frozenAs(module, options, frozen).params)
  if (quantisation) {
    const [base, { pack, tell }] = [flatten(build(config).params), Quantisation.packer(quantisation, frozen)]
    const each = (path: string, param: Param, source: Source) =>
      Effect.flatMap(pack(path, param, source), (packed) =>
        packed
          ? Effect.succeed(packed)
          : Effect.map(source.file.read(source.name), ({ data }) => [[path, data] as const]))
    const values = yield* ModelFolder.stored(folder, base, seed, {
      ...loading,
      pack: (path, param, source) =>
        apart(path)
          ? Effect.map(Effect.forEach([head, embedding], (own) => each(own, param, source)), (both) => both.flat())
          : pack(path, param, source)
    })
    untie(values, params, saved)
    yield* tell(folder)
    return values
  }
  const read = frozenAs(build(config), options, (path) => frozen(path) && !apart(path))
  const values = yield* ModelFolder.stored(folder, flatten(read.params), seed, loading)
  untie(values, params, saved)
  return values
})
