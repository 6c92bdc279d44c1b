/** A module under other parameter names: those of a checkpoint that spells the same architecture otherwise. */
import type { Tensor } from "../Tensor.ts"
import { bind, type Bound, flatten, type Module, module, type Param, type Params } from "./Module.ts"

/** The tree of these paths. */
const nested = (entries: Iterable<readonly [path: string, param: Param]>): Params => {
  const tree: { [name: string]: Param | Params } = {}
  for (const [path, leaf] of entries) {
    const names = path.split(".")
    let node = tree
    for (const name of names.slice(0, -1)) node = (node[name] ??= {}) as typeof tree
    node[names.at(-1)!] = leaf
  }
  return tree
}

/** The tensor at a path of a bound tree. */
const at = (bound: Bound<Params>, path: string): Tensor =>
  path.split(".").reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], bound) as Tensor

/** The module with its parameters at the paths that `spell` gives theirs, which must all differ. */
export const spelled = <P extends Params, I extends ReadonlyArray<unknown>, O>(
  inner: Module<P, I, O>,
  spell: (path: string) => string
): Module<Params, I, O> =>
  module(
    nested([...flatten(inner.params)].map(([path, leaf]) => [spell(path), leaf])),
    (p: Bound<Params>, ...input: I) => inner.apply(bind(inner.params, (path) => at(p, spell(path))), ...input)
  )
