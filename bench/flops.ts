/** Work of a graph by its shapes. */
import type { Graph } from "../src/kernels/encode.ts"
import { size } from "../src/kernels/NdArray.ts"
import { type Tensor, topological } from "../src/kernels/Tensor.ts"

const work = (t: Tensor, learns: boolean): number => {
  if (t._tag !== "Apply") return 0
  const [a, b] = t.inputs.map((x) => x.type.shape) as [ReadonlyArray<number>, ReadonlyArray<number>]
  switch (t.op.name) {
    case "MatMul":
      return 2 * size(t.type.shape) * a.at((t.attrs as { readonly transA: boolean }).transA ? -2 : -1)!
    case "Affine":
      return 2 * size(t.type.shape) * a[1]!
    case "Attend":
      // The scores are spelled out again by the gradient, and computed once.
      return (learns ? 1 : 2) * 2 * size(a) * b.at(-2)!
    default:
      return 0
  }
}

/** Floating-point operations of the matrix products; everything else is left out. */
export const flops = (graph: Graph<any, any>): number =>
  topological(Object.values(graph.outputs)).reduce((sum, t) => sum + work(t, "gradNorm" in graph.outputs), 0)
