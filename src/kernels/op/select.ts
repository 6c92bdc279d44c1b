/** Comparisons and logic, Where, and the extrema, whose gradients select an operand. */
import * as Nd from "../NdArray.ts"
import {
  apply,
  type DType,
  index,
  type Op,
  type Range,
  real,
  scalar,
  type Shape,
  ShapeError,
  type Tensor,
  truth
} from "../Tensor.ts"
import { axesOf, broadcastShape, reducedShape, reshape, sum } from "./broadcast.ts"
import { div, float, mul, neg, scale, sub } from "./elementwise.ts"

const logical = (
  name: string,
  operands: DType | "any",
  f: (...values: ReadonlyArray<number>) => boolean,
  ranges: ReadonlyArray<Range>,
  onnx: Op<{}>["onnx"] = (emit, inputs) => emit.node(name, inputs)
): Op<{}> => ({
  name,
  infer: (inputs) => {
    const shape = inputs.map((t) => t.shape).reduce((a, b) => {
      const both = broadcastShape(a, b)
      if (both === undefined) throw new ShapeError(name, inputs, "shapes do not broadcast")
      return both
    })
    if (inputs.some((t) => t.dtype !== inputs[0]!.dtype || (operands !== "any" && t.dtype !== operands))) {
      throw new ShapeError(name, inputs, "wrong or different element types")
    }
    return { dtype: "bool", shape }
  },
  evaluate: (inputs, _, type) => Nd.make(type.shape, (at) => f(...inputs.map((x) => Nd.get(x, at))) ? 1 : 0),
  vjp: (_, inputs) => inputs.map(() => null),
  onnx,
  law: { ranges, cases: [{ shapes: [[2, 3], [2, 3], [3]].slice(0, ranges.length), attrs: {} }] }
})

/** a < b, broadcast. */
export const Less = logical("Less", "any", (a, b) => a! < b!, [real(-2, 2), real(-2, 2)])
/** a = b, broadcast. */
export const Equal = logical("Equal", "any", (a, b) => a === b, [index(2), index(2)])
/** a and b, broadcast. */
export const And = logical("And", "bool", (a, b) => a === 1 && b === 1, [truth, truth])
/** a or b, broadcast. */
export const Or = logical("Or", "bool", (a, b) => a === 1 || b === 1, [truth, truth], (emit, inputs) => {
  if (emit.target.has("Or", "bool")) return emit.node("Or", inputs)
  const neither = emit.node("And", inputs.map((x) => emit.node("Not", [x])))
  return emit.node("Not", [neither])
})
/** Logical negation. */
export const Not = logical("Not", "bool", (a) => a !== 1, [truth])

/** a < b, broadcast; bool. */
export const less = (a: Tensor, b: Tensor): Tensor => apply(Less, [a, b], {})
/** a = b, broadcast; bool. */
export const equal = (a: Tensor, b: Tensor): Tensor => apply(Equal, [a, b], {})
/** a and b, broadcast; bool. */
export const and = (a: Tensor, b: Tensor): Tensor => apply(And, [a, b], {})
/** a or b, broadcast; bool. */
export const or = (a: Tensor, b: Tensor): Tensor => apply(Or, [a, b], {})
/** Logical negation; bool. */
export const not = (a: Tensor): Tensor => apply(Not, [a], {})

/** Elements of `a` where the condition is true, of `b` elsewhere. */
export const Where: Op<{}> = {
  name: "Where",
  infer: ([c, a, b]) => {
    const values = broadcastShape(a!.shape, b!.shape)
    const shape = values && broadcastShape(c!.shape, values)
    if (shape === undefined) throw new ShapeError("Where", [c!, a!, b!], "shapes do not broadcast")
    if (c!.dtype !== "bool" || a!.dtype !== b!.dtype) throw new ShapeError("Where", [c!, a!, b!], "element types")
    return { dtype: a!.dtype, shape }
  },
  evaluate: ([c, a, b], _, type) => Nd.make(type.shape, (at) => Nd.get(Nd.get(c!, at) === 1 ? a! : b!, at)),
  vjp: (ct, [c]) => [null, where(c!, ct, scalar(0)), where(c!, scalar(0), ct)],
  onnx: (emit, inputs) => emit.node("Where", inputs),
  law: {
    ranges: [truth, real(-2, 2), real(-2, 2)],
    cases: [{ shapes: [[2, 3], [2, 3], [3]], attrs: {} }, { shapes: [[2, 1], [2, 3], []], attrs: {} }]
  }
}
/** a where the condition is true, else b; broadcast. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => apply(Where, [condition, a, b], {})
/** 0 where the condition is true, `penalty` elsewhere: added to scores, it masks them. */
export const penalise = (condition: Tensor, penalty: number): Tensor => scale(sub(scalar(1), float(condition)), penalty)

const extremum = (name: "Max" | "Min", f: (a: number, b: number) => number): Op<{}> => ({
  name,
  infer: ([a, b]) => {
    const shape = broadcastShape(a!.shape, b!.shape)
    if (shape === undefined) throw new ShapeError(name, [a!, b!], "shapes do not broadcast")
    return { dtype: a!.dtype, shape }
  },
  evaluate: ([a, b], _, type) => Nd.make(type.shape, (at) => f(Nd.get(a!, at), Nd.get(b!, at))),
  vjp: (ct, [a, b]) => {
    const second = name === "Max" ? less(a!, b!) : less(b!, a!)
    return [where(second, scalar(0), ct), where(second, ct, scalar(0))]
  },
  onnx: (emit, inputs) => emit.node(name, inputs),
  law: { ranges: [real(-2, 2), real(-2, 2)], cases: [{ shapes: [[2, 3], [3]], attrs: {} }] }
})
/** The greater of two; on ties the first has the gradient. */
export const Max = extremum("Max", Math.max)
/** The lesser of two; on ties the first has the gradient. */
export const Min = extremum("Min", Math.min)
/** The greater, broadcast; on ties the first has the gradient. */
export const max = (a: Tensor, b: Tensor): Tensor => apply(Max, [a, b], {})
/** The lesser, broadcast; on ties the first has the gradient. */
export const min = (a: Tensor, b: Tensor): Tensor => apply(Min, [a, b], {})
/** max(0, x). */
export const relu = (x: Tensor): Tensor => max(scalar(0), x)

interface Axis {
  readonly axis: number
  readonly keep: boolean
}
const alongShape = (shape: Shape, { axis, keep }: Axis): Shape => reducedShape(shape, { axes: [axis], keep })

/** The maximum along an axis; tied elements share its gradient evenly. */
export const ReduceMax: Op<Axis> = {
  name: "ReduceMax",
  infer: ([x], attrs) => ({ dtype: x!.dtype, shape: alongShape(x!.shape, attrs) }),
  evaluate: ([x], { axis }, type) => {
    const stride = Nd.size(x!.shape.slice(axis + 1))
    const length = x!.shape[axis]!
    const data = new Float64Array(Nd.size(type.shape))
    for (let at = 0; at < data.length; at++) {
      const first = Math.floor(at / stride) * stride * length + at % stride
      let greatest = -Infinity
      for (let i = 0; i < length; i++) greatest = Math.max(greatest, x!.data[first + i * stride]!)
      data[at] = greatest
    }
    return { shape: type.shape, data }
  },
  vjp: (ct, [x], y, { axis }) => {
    const kept = alongShape(x!.type.shape, { axis, keep: true })
    const winners = float(equal(x!, reshape(y, kept)))
    return [mul(winners, div(reshape(ct, kept), sum(winners, [axis], true)))]
  },
  onnx: (emit, [x], { axis, keep }) =>
    emit.node("ReduceMax", [x!, emit.ints([axis])], { keepdims: { int: keep ? 1 : 0 } }),
  law: {
    ranges: [real(-2, 2)],
    cases: [{ shapes: [[2, 4]], attrs: { axis: 1, keep: false } }, {
      shapes: [[2, 3, 2]],
      attrs: { axis: 1, keep: true }
    }]
  }
}
/** The maximum along an axis; tied elements share the gradient. `keep` leaves the axis with size 1. */
export const reduceMax = (x: Tensor, axis: number, keep = false): Tensor =>
  apply(ReduceMax, [x], { axis: axesOf(x, [axis])[0]!, keep })
/** The minimum along an axis; tied elements share the gradient. `keep` leaves the axis with size 1. */
export const reduceMin = (x: Tensor, axis: number, keep = false): Tensor => neg(reduceMax(neg(x), axis, keep))
