/** Weights stored in half precision and computed with in float32. */
import { fromWords, type Half } from "../half.ts"
import { apply, type Op, ShapeError, type Tensor } from "../Tensor.ts"

/** Half-precision bits (uint16) as float32. */
export const Widen: Op<{ readonly from: Half }> = {
  name: "Widen",
  infer: ([words], { from }) => {
    if (words!.dtype !== "uint16") throw new ShapeError("Widen", [words!], `not words of ${from}`)
    return { dtype: "float32", shape: words!.shape }
  },
  evaluate: ([words], { from }) => ({
    shape: words!.shape,
    data: Float64Array.from(fromWords(Uint16Array.from(words!.data), from))
  }),
  vjp: () => [null],
  onnx: (emit, [words], { from }, { output }) => {
    if (!emit.target.has("BitCast")) return emit.cast(words!, output.dtype)
    const numbers = emit.node("BitCast", [words!], { to: { int: from === "float16" ? 10 : 16 } })
    return emit.cast(numbers, output.dtype)
  },
  law: {
    ranges: [{ dtype: "uint16", low: 0, high: 0x7c00 }],
    cases: [{ shapes: [[2, 3]], attrs: { from: "float16" } }, { shapes: [[4]], attrs: { from: "bfloat16" } }]
  }
}
/** Half-precision bits (uint16) as float32. */
export const widen = (words: Tensor, from: Half): Tensor => apply(Widen, [words], { from })
