/** A module with some weights stored in half precision. */
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
 * The module with the weights for which `type` returns a dtype stored as bits of that dtype. They are widened to
 * float32 for computing and have no gradient.
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
