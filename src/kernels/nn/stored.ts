/** A module from a module, of whose weights some are stored in 16 bits. */
import type { Half } from "../half.ts"
import { widen } from "../op/widen.ts"
import type { Tensor } from "../Tensor.ts"
import { type Bound, isParam, type Module, type Param, type Params } from "./Module.ts"

type Types = (path: string) => Half | undefined

const marked = (params: Params, type: Types, prefix = ""): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, node]) => {
      if (!isParam(node)) return [name, marked(node, type, `${prefix}${name}.`)]
      const stored = type(prefix + name)
      return [name, stored ? { ...node, stored } satisfies Param : node]
    })
  )

const widened = (params: Params, bound: Bound<Params>): Bound<Params> =>
  Object.fromEntries(
    Object.entries(params).map(([name, node]) => {
      const own = bound[name]!
      if (!isParam(node)) return [name, widened(node, own as Bound<Params>)]
      return [name, node.stored ? widen(own as Tensor, node.stored) : own]
    })
  )

/**
 * The module that takes the weights for which `type` names one as words of that type. It computes with them as float32;
 * they have no gradient.
 */
export const stored = <P extends Params, I extends ReadonlyArray<unknown>, O>(
  base: Module<P, I, O>,
  type: Types
): Module<P, I, O> => {
  const params = marked(base.params, type)
  return {
    params: params as P,
    apply: (bound, ...input) => base.apply(widened(params, bound as Bound<Params>) as Bound<P>, ...input)
  }
}
