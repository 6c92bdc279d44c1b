/** Values that no gradient passes through. */
import { apply, type Op, real, type Tensor } from "../Tensor.ts"

/** The operand, as a constant to the gradient. */
export const StopGradient: Op<{}> = {
  name: "StopGradient",
  infer: ([x]) => x!,
  evaluate: ([x]) => x!,
  vjp: () => [null],
  onnx: (emit, inputs) => emit.node("Identity", inputs),
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 3]], attrs: {} }] },
  stops: true
}
/** The same values, through which no gradient passes. */
export const stopGradient = (x: Tensor): Tensor => apply(StopGradient, [x], {})
