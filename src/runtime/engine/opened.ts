/** Graphs that are compiled once for all sizes. */
import type { Graph } from "../../kernels/onnx/encode.ts"
import { type Sizes, standIns } from "../../kernels/onnx/openSizes.ts"
import type { Tensor } from "../../kernels/Tensor.ts"
import type { Family, Open, Program } from "./Session.ts"

/** The graph to compile, in which large numbers stand for the sizes. */
export const standing = <N extends string>(
  { at, sizes }: Family<N>
): { readonly graph: Graph; readonly open: Sizes } => {
  const smallest = at(Object.fromEntries(sizes.map((name) => [name, 1])) as Record<N, number>)
  const open = standIns(sizes, Object.values<Tensor>(smallest.inputs).map((t) => t.type.shape))
  return { graph: at(open), open }
}

/** Choices of sizes that are cached: each holds its graph. */
const KEPT = 16

/** The programs of a compiled graph by their sizes, each made of its own graph. */
export const bySizes = <N extends string>(
  { at, sizes }: Family<N>,
  made: (graph: Graph) => Program<string, string>
): Open<N> => {
  const known = new Map<string, Program<string, string>>()
  return (chosen) => {
    const key = sizes.map((name) => chosen[name]).join()
    const found = known.get(key) ?? made(at(chosen))
    known.delete(key)
    known.set(key, found)
    if (known.size > KEPT) known.delete(known.keys().next().value!)
    return found
  }
}
