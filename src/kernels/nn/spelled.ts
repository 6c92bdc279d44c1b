/** A module under other parameter names: those of a checkpoint that spells the same architecture otherwise. */
import { type Bound, flatten, isParam, type Module, module, type Param, type Params } from "./Module.ts"

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

/** The node at a path of a bound tree. */
const at = (bound: Bound<Params>, path: string): unknown =>
  path === "" ? bound : path.split(".").reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], bound)

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(".")))

/**
 * The module's own tree out of one with other paths. The node of a parameter keeps what else it has: an adapter's function,
 * say.
 */
const unspelled = (params: Params, bound: Bound<Params>, spell: (path: string) => string, prefix = ""): object => {
  const entries = Object.entries(params)
  const [leaf] = entries.find(([, own]) => isParam(own)) ?? []
  const node = leaf === undefined ? {} : at(bound, parentOf(spell(prefix + leaf))) as object
  return {
    ...node,
    ...Object.fromEntries(entries.map(([name, own]) => [
      name,
      isParam(own) ? at(bound, spell(prefix + name)) : unspelled(own, bound, spell, `${prefix}${name}.`)
    ]))
  }
}

/**
 * The module with its parameters at the paths that `spell` gives theirs, which must all differ; parameters of one node stay
 * together in one.
 */
export const spelled = <P extends Params, I extends ReadonlyArray<unknown>, O>(
  inner: Module<P, I, O>,
  spell: (path: string) => string
): Module<Params, I, O> =>
  module(
    nested([...flatten(inner.params)].map(([path, leaf]) => [spell(path), leaf])),
    (p: Bound<Params>, ...input: I) => inner.apply(unspelled(inner.params, p, spell) as Bound<P>, ...input)
  )
