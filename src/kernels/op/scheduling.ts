/** When, not what: expressions that keep their value and tell what a graph keeps and what waits for what. */
import { apply, index, type Op, real, type Tensor } from "../Tensor.ts"

/** x, kept from the forward pass to the backward pass where what lies between is computed again. Costs nothing. */
export const Saved: Op<{}> = {
  name: "Saved",
  infer: ([x]) => x!,
  evaluate: ([x]) => x!,
  vjp: (ct) => [ct],
  onnx: (_, [x]) => x!,
  view: true,
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 3]], attrs: {} }] }
}
/** x, which checkpointing keeps for the backward pass. */
export const saved = (x: Tensor): Tensor => apply(Saved, [x], {})

/**
 * x, which nobody reads before the others are computed.
 *
 * ONNX Runtime orders nodes as it likes, but for what they read. Here x is given its own shape, by way of a choice
 * between that shape and itself which hangs on an element of each of the others. No data move. On a device the choice is
 * between x and itself, which copies it: the host would wait for the shape.
 */
export const After: Op<{}> = {
  name: "After",
  infer: ([x]) => x!,
  evaluate: ([x]) => x!,
  vjp: (ct, inputs) => inputs.map((_, i) => i === 0 ? ct : null),
  onnx: (emit, [x, ...others], _, { inputs, output }) => {
    const choose = (value: string, other: string, i: number) => {
      const first = emit.node("Gather", [emit.node("Reshape", [other, emit.ints([-1])]), emit.ints([0])])
      const low = emit.node("Less", [first, emit.scalar(inputs[i + 1]!.dtype, 0)])
      return emit.node("Where", [low, value, value])
    }
    if (emit.target.device) return others.reduce(choose, x!)
    return emit.node("Reshape", [x!, others.reduce(choose, emit.ints(output.shape))])
  },
  view: true,
  law: { ranges: [real(-2, 2), index(5), index(5)], cases: [{ shapes: [[2, 3], [2], []], attrs: {} }] }
}
/** x, which is computed when the others are there. */
export const after = (x: Tensor, others: ReadonlyArray<Tensor>): Tensor =>
  others.length === 0 ? x : apply(After, [x, ...others], {})
