/** Scheduling ops: identities that mark checkpoints (`Saved`) or force an order (`After`). */
import { apply, index, type Op, real, type Tensor } from "../Tensor.ts"

/** x, kept for the backward pass by gradient checkpointing, which recomputes what lies between. Costs nothing. */
export const Saved: Op<{}> = {
  name: "Saved",
  infer: ([x]) => x!,
  evaluate: ([x]) => x!,
  vjp: (ct) => [ct],
  onnx: (_, [x]) => x!,
  view: true,
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 3]], attrs: {} }] }
}
/** x, marked for checkpointing to keep for the backward pass. */
export const saved = (x: Tensor): Tensor => apply(Saved, [x], {})

/**
 * x, not read before the other operands are computed.
 *
 * ONNX Runtime orders nodes only by their inputs. So x is reshaped to its own shape, taken from a Where that depends on
 * an element of each other operand and has that shape on both sides; no data moves. On a device both sides of the Where
 * are x, which copies it: the host would have to wait for a shape.
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
/** x, not read before the others are computed. */
export const after = (x: Tensor, others: ReadonlyArray<Tensor>): Tensor =>
  others.length === 0 ? x : apply(After, [x, ...others], {})
