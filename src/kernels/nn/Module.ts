/** A model is a tree of parameters and a function of their tensors. */
import type { Half } from "../half.ts"
import { byName, type DType, type Input, input, type Shape, type Tensor } from "../Tensor.ts"

/** Initialisation: normal with a standard deviation, uniform within ± a bound, or constant. */
export type Init = { readonly normal: number } | { readonly uniform: number } | { readonly constant: number }

/** A parameter: its shape, and its initialisation. */
export interface Param {
  readonly _tag: "Param"
  readonly shape: Shape
  readonly init: Init
  /** An embedding table: its rows are looked up by id, where other matrices are multiplied by. */
  readonly lookup?: true
  /** Storage dtype of a frozen parameter; float32 by default. */
  readonly stored?: Half
  /** Of packed integers: their dtype. */
  readonly packed?: "uint8"
  /** Elements that a part of a quantised parameter counts as; by default those of its shape. */
  readonly elements?: number
}

/** Parameters by name; the path of names, joined by dots, is the tensor's name in a checkpoint. */
export interface Params {
  readonly [name: string]: Param | Params
}
/** The parameter tree with a tensor in place of each parameter. */
export type Bound<P> = P extends Param ? Tensor : { readonly [K in keyof P]: Bound<P[K]> }

/** A model: its parameters, and what it computes with them. */
export interface Module<in out P extends Params, in I extends ReadonlyArray<unknown>, out O> {
  readonly params: P
  readonly apply: (params: Bound<P>, ...input: I) => O
}

/** Parameters by path, in the order of definition. */
export type Flat = ReadonlyMap<string, Param>

/** A parameter of this shape. */
export const param = (shape: Shape, init: Init): Param => ({ _tag: "Param", shape, init })
/** A parameter drawn from a normal distribution about 0. */
export const normal = (shape: Shape, std: number): Param => param(shape, { normal: std })
/** An embedding table, drawn from a normal distribution about 0. */
export const lookup = (shape: Shape, std: number): Param => ({ ...normal(shape, std), lookup: true })
/** A parameter drawn uniformly from [-bound, bound]. */
export const uniform = (shape: Shape, bound: number): Param => param(shape, { uniform: bound })
/** A parameter initialised to ones. */
export const ones = (...shape: Shape): Param => param(shape, { constant: 1 })
/** A parameter initialised to zeros. */
export const zeros = (...shape: Shape): Param => param(shape, { constant: 0 })

/** The module with these parameters and this function. */
export const module = <const P extends Params, I extends ReadonlyArray<unknown>, O>(
  params: P,
  apply: (params: Bound<P>, ...input: I) => O
): Module<P, I, O> => ({ params, apply })

/** Whether a node of the tree is a parameter rather than a subtree. */
export const isParam = (node: Param | Params): node is Param => node["_tag"] === "Param"

const entries = (params: Params, prefix: string): ReadonlyArray<readonly [string, Param]> =>
  Object.entries(params).flatMap(([name, node]) =>
    isParam(node) ? [[prefix + name, node] as const] : entries(node, `${prefix}${name}.`)
  )
/** Parameters by dotted path, in the tree's order. */
export const flatten = (params: Params): Flat => new Map(entries(params, ""))

/** The tree with each parameter replaced by the tensor that `f` returns for its path. */
export const bind = <P extends Params>(params: P, f: (path: string, param: Param) => Tensor, prefix = ""): Bound<P> =>
  Object.fromEntries(
    Object.entries(params).map(([name, node]) => [
      name,
      isParam(node) ? f(prefix + name, node) : bind(node, f, `${prefix}${name}.`)
    ])
  ) as Bound<P>

/** Element type of a parameter's values as they are stored. */
export const dtypeOf = ({ packed, stored }: Param): DType => packed ?? (stored ? "uint16" : "float32")

/** One graph input per parameter, by path; the input's name is the path, or `nameOf` of it. */
export const inputs = (params: Params, nameOf: (path: string) => string = (path) => path): ReadonlyMap<string, Input> =>
  new Map(
    [...flatten(params)].map(([path, param]) => [path, input(nameOf(path), param.shape, dtypeOf(param))])
  )

/** Parameters as graph inputs: by path, by name, and bound into the tree. */
export const entering = <P extends Params>(params: P, nameOf?: (path: string) => string) => {
  const byPath = inputs(params, nameOf)
  return { byPath, inputs: byName(byPath.values()), bound: bind(params, (path) => byPath.get(path)!) }
}

/** The module if `present`, else the identity without parameters. */
export const optional = <P extends Params, A>(present: boolean, m: Module<P, [A], A>): Module<P, [A], A> =>
  present ? m : { params: {} as P, apply: (_, x) => x }

/** `n` modules of the same kind, as children "0", "1", ... */
export const repeat = <P extends Params, I extends ReadonlyArray<unknown>, O>(
  n: number,
  layer: (index: number) => Module<P, I, O>
): ReadonlyArray<Module<P, I, O>> => Array.from({ length: n }, (_, i) => layer(i))

/** Parameters of the layers, under "0", "1", ... */
export const listParams = <P extends Params>(layers: ReadonlyArray<{ readonly params: P }>): Record<string, P> =>
  Object.fromEntries(layers.map((layer, i) => [String(i), layer.params]))
