/**
 * LoRA (Hu et al. 2021): a module whose chosen weights W become W + s B A.
 *
 * Only A and B are new parameters, named as in PEFT. A frozen W costs nothing in the backward graph, where nothing
 * refers to its gradient.
 */
import { reshape } from "../op/broadcast.ts"
import { matmul, transpose } from "../op/contract.ts"
import { add } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { dropout } from "../op/random.ts"
import type { Tensor } from "../Tensor.ts"
import { type Module, module, normal, type Param, type Params, uniform, zeros } from "./Module.ts"

/** Rank, and the factor s of B A: alpha / r, or alpha / √r (rank-stabilised, Kalajdzievski 2023). */
export interface Rank {
  readonly r: number
  readonly scaling: number
}

/** Which weights are adapted, and how. */
export interface Lora {
  /** Ranks by the path of the module that has the weight ("model.layers.0.self_attn.q_proj"). */
  readonly targets: ReadonlyMap<string, Rank>
  /** Dropout rate of A's inputs in training; embeddings have none. */
  readonly dropout: number
}

/** What an adapter adds to a module's output: rows [n, in] -> [n, out], or ids [...] -> [..., size]. */
type Delta = (x: Tensor) => Tensor

/** The output `y` of a module at `x`, plus what the adapter in its bound parameters adds, if there is one. */
export const plus = (bound: object, x: Tensor, y: Tensor): Tensor => {
  const { delta } = bound as { readonly delta?: Delta }
  return delta ? add(y, delta(x)) : y
}

interface Tree {
  readonly [name: string]: Tree
}

/** The tree with extra children at nodes where `more` returns some; its leaves are parameters or tensors. */
const extend = (tree: Tree, more: (node: any, path: string) => object, path = ""): Tree => {
  if ("_tag" in tree) return tree
  const extended = Object.entries(tree).map(([name, child]) =>
    [name, extend(child, more, path === "" ? name : `${path}.${name}`)] as const
  )
  return { ...Object.fromEntries(extended), ...more(tree, path) }
}

/** The adapter's parameters, initialised as in PEFT: B A is zero before training. */
const beside = ({ lookup, shape: [to, from] }: Param, { r }: Rank): Params =>
  lookup
    ? { lora_embedding_A: zeros(r, to!), lora_embedding_B: normal([from!, r], 1) }
    : { lora_A: { weight: uniform([r, from!], 1 / Math.sqrt(from!)) }, lora_B: { weight: zeros(to!, r) } }

interface Matrices {
  readonly lora_A: { readonly weight: Tensor }
  readonly lora_B: { readonly weight: Tensor }
}
interface Tables {
  readonly lora_embedding_A: Tensor
  readonly lora_embedding_B: Tensor
}

const delta = (node: Matrices | Tables, { r, scaling }: Rank, drop: (x: Tensor) => Tensor): Delta =>
  "lora_A" in node
    ? (rows) => matmul(matmul(drop(rows), node.lora_A.weight, false, true), node.lora_B.weight, false, true, scaling)
    : (ids) => {
      const found = reshape(gather(transpose(node.lora_embedding_A, [1, 0]), ids), [-1, r])
      const rows = matmul(found, node.lora_embedding_B, false, true, scaling)
      return reshape(rows, [...ids.type.shape, rows.type.shape[1]!])
    }

/** First dropout site of adapters; those of the models are below. */
const SITES = 2 ** 16

/** The module with adapters at the targets; dropout is on if the input has a key. */
export const adapt = <P extends Params, I extends { readonly key?: Tensor | undefined }, O>(
  base: Module<P, [I], O>,
  { dropout: rate, targets }: Lora
): Module<P, [I], O> => {
  const sites = new Map([...targets].map(([path, rank], i) => [path, { rank, site: SITES + i }]))
  const params = extend(base.params as unknown as Tree, (node, path) => {
    const rank = targets.get(path)
    return rank ? beside(node.weight, rank) : {}
  })
  return module(params as unknown as P, (bound, input) => {
    const woven = extend(bound as unknown as Tree, (node, path) => {
      const at = sites.get(path)
      return at ? { delta: delta(node, at.rank, (x) => dropout(x, input.key, rate, at.site)) } : {}
    })
    return base.apply(woven as unknown as typeof bound, input)
  })
}
