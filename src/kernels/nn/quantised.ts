/** A module with some matrices stored quantised. */
import * as Nd from "../NdArray.ts"
import { dequantise } from "../op/quantised.ts"
import { type Blocks, partShapes, type Quantised } from "../quantise.ts"
import type { Tensor } from "../Tensor.ts"
import { type Bound, isParam, type Module, type Param, type Params, zeros } from "./Module.ts"

/** The blocks of a parameter that is to be quantised. */
type Chosen = (path: string, param: Param) => Blocks | undefined

/** Names of the parameters in place of a quantised one, below its path. */
const names = ["quants", "scales", "zeros", "offsets"] as const satisfies ReadonlyArray<keyof Quantised>

/** The parameters in place of a quantised one; all its elements are counted as those of its integers. */
const parts = ({ shape: [rows, columns] }: Param, blocks: Blocks): Readonly<Record<string, Param>> => {
  const shapes = partShapes(blocks, rows!, columns!)
  return {
    quants: { ...zeros(...shapes.quants), packed: "uint8", elements: rows! * columns! },
    scales: { ...zeros(...shapes.scales), elements: 0 },
    ...(blocks.shifted ? { offsets: { ...zeros(...shapes.offsets), elements: 0 } } : {}),
    zeros: { ...zeros(...shapes.zeros), packed: "uint8", elements: 0 }
  }
}

const divided = (params: Params, chosen: Chosen, prefix = ""): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, node]) => {
      if (!isParam(node)) return [name, divided(node, chosen, `${prefix}${name}.`)]
      const blocks = chosen(prefix + name, node)
      return [name, blocks ? parts(node, blocks) : node]
    })
  )

const widened = (params: Params, bound: Bound<Params>, chosen: Chosen, prefix = ""): Bound<Params> =>
  Object.fromEntries(
    Object.entries(params).map(([name, node]) => {
      const own = bound[name]!
      if (!isParam(node)) return [name, widened(node, own as Bound<Params>, chosen, `${prefix}${name}.`)]
      const blocks = chosen(prefix + name, node)
      if (!blocks) return [name, own]
      const { offsets, ...parts } = own as Record<Exclude<keyof Quantised, "offsets">, Tensor> & { offsets?: Tensor }
      return [name, dequantise(parts, { ...blocks, columns: node.shape[1]! }, offsets)]
    })
  )

/**
 * The module with the matrices for which `chosen` returns blocks quantised in them: in place of such a parameter there
 * are its integers, scales, zero points and, of shifted blocks, offsets, under its path. The integers have no gradient.
 */
export const quantised = <P extends Params, I extends ReadonlyArray<unknown>, O>(
  base: Module<P, I, O>,
  chosen: Chosen
): Module<P, I, O> => ({
  params: divided(base.params, chosen) as P,
  apply: (bound, ...input) => base.apply(widened(base.params, bound as Bound<Params>, chosen) as Bound<P>, ...input)
})

/** The arrays of a quantised parameter, by the paths of the parameters in its place. */
export const arraysOf = (
  path: string,
  values: Quantised
): ReadonlyArray<readonly [string, Float32Array | Uint8Array]> =>
  names.flatMap((name) => values[name] ? [[`${path}.${name}`, values[name]]] : [])

/** The paths in place of a parameter's: its own, or those of its parts if it is quantised; none if it is not there. */
export const pathsOf = (path: string, all: ReadonlyMap<string, unknown>): ReadonlyArray<string> =>
  [path, ...names.map((name) => `${path}.${name}`)].filter((own) => all.has(own))

/** Whether there are values of a parameter, or of its parts. */
export const isHeld = (path: string, all: ReadonlyMap<string, unknown>): boolean => pathsOf(path, all).length > 0

/** The parameter that a path belongs to: itself, or the quantised one that it is a part of. */
export const wholeOf = (path: string): string => path.replace(/\.weight\.(quants|scales|zeros|offsets)$/, ".weight")

/** Number of elements that a parameter stands for: those of a quantised matrix count once. */
export const elementsOf = ({ elements, shape }: Param): number => elements ?? Nd.size(shape)
