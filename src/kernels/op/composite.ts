/** Composite ops: defined by an expression, with a gradient of their own. */
import { interpret } from "../interpret.ts"
import { emitAll } from "../onnx/emit.ts"
import { type Defined, input, type Law, type Op, type Tensor, type TensorType } from "../Tensor.ts"

/** The op with the value of `define` and the gradient `vjp`; the law tests check one against the other. */
export const composite = <A>(
  name: string,
  define: (inputs: ReadonlyArray<Tensor>, attrs: A) => Tensor,
  vjp: Op<A>["vjp"],
  law: Law<A>
): Op<A> => {
  const over = (types: ReadonlyArray<TensorType>, attrs: A): Defined => {
    const operands = types.map((t, i) => input(`operand${i}`, t.shape, t.dtype))
    return { operands, value: define(operands, attrs) }
  }
  return {
    name,
    infer: (types, attrs) => over(types, attrs).value.type,
    evaluate: (values, attrs) => {
      const { operands, value } = over(values.map((v, i) => ({ shape: v.shape, dtype: law.ranges[i]!.dtype })), attrs)
      return interpret([value], Object.fromEntries(values.map((v, i) => [operands[i]!.name, v])))[0]!
    },
    vjp,
    onnx: (emit, names, attrs, types) => {
      const { operands, value } = over(types.inputs, attrs)
      return emitAll(emit, [value], new Map(operands.map((t, i) => [t, names[i]!])))[0]!
    },
    law,
    define: over
  }
}
