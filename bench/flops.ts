/** Work of a graph by its shapes. */
import type { Graph } from "../src/kernels/encode.ts"
import { size } from "../src/kernels/NdArray.ts"
import { type Tensor, topological } from "../src/kernels/Tensor.ts"

const work = (t: Tensor): number => {
  if (t._tag !== "Apply") return 0
  const [a, b] = t.inputs.map((x) => x.type.shape) as [ReadonlyArray<number>, ReadonlyArray<number>]
  switch (t.op.name) {
    case "MatMul":
      return 2 * size(t.type.shape) * a.at((t.attrs as { readonly transA: boolean }).transA ? -2 : -1)!
    case "Affine":
      return 2 * size(t.type.shape) * a[1]!
    case "Attend":
      return 4 * size(a) * b.at(-2)!
    default:
      return 0
  }
}

/** Floating-point operations of the matrix products that are computed; everything else is left out. */
export const flops = (graph: Graph<any, any>): number =>
  topological(Object.values(graph.outputs)).reduce((sum, t) => sum + work(t), 0)
