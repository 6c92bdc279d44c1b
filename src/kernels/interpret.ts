/** The reference interpreter: evaluates a graph in float64, without ONNX Runtime. */
import type { NdArray } from "./NdArray.ts"
import { type Tensor, topological } from "./Tensor.ts"

/** The values of `outputs` when inputs are fed by name. */
export const interpret = (
  outputs: ReadonlyArray<Tensor>,
  feeds: Readonly<Record<string, NdArray>>
): ReadonlyArray<NdArray> => {
  const value = new Map<Tensor, NdArray>()
  const evaluate = (t: Tensor): NdArray => {
    switch (t._tag) {
      case "Input":
        return feeds[t.name]!
      case "Const":
        return t.value
      case "Apply":
        return t.op.evaluate(t.inputs.map((x) => value.get(x)!), t.attrs, t.type)
    }
  }
  for (const t of topological(outputs)) value.set(t, evaluate(t))
  return outputs.map((t) => value.get(t)!)
}
