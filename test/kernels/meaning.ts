/** What a graph means. */
import { interpret } from "../../src/kernels/interpret.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import type { Graph } from "../../src/kernels/onnx/encode.ts"
import type { Tensor } from "../../src/kernels/Tensor.ts"

/** The values of a graph's outputs, in float64, for those of its inputs by name. */
export const meaningOf = ({ inputs, outputs }: Graph, values: ReadonlyMap<string, ArrayLike<number>>) =>
  interpret(
    Object.values<Tensor>(outputs),
    Object.fromEntries(
      Object.entries<Tensor>(inputs).map(([name, t]) => [name, Nd.fromArray(t.type.shape, values.get(name)!)])
    )
  )
