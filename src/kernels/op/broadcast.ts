/** Shape ops: Reshape, and ReduceSum with its adjoint Expand. */
import * as Nd from "../NdArray.ts"
import { apply, type Op, real, type Shape, ShapeError, type Tensor } from "../Tensor.ts"

/** The shape two operands broadcast to, by NumPy's rule; `undefined` if they do not broadcast. */
export const broadcastShape = (a: Shape, b: Shape): Shape | undefined => {
  const rank = Math.max(a.length, b.length)
  const shape: Array<number> = []
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1
    const y = b[axis - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) return undefined
    shape.push(x === 1 ? y : x)
  }
  return shape
}

/** The same elements in the same order, with another shape. */
export const Reshape: Op<{ readonly shape: Shape }> = {
  name: "Reshape",
  infer: ([x], { shape }) => {
    if (Nd.size(x!.shape) !== Nd.size(shape)) throw new ShapeError("Reshape", [x!], `not ${shape.join("x")} elements`)
    return { dtype: x!.dtype, shape }
  },
  evaluate: ([x], { shape }) => ({ shape, data: x!.data }),
  vjp: (ct, [x]) => [reshape(ct, x!.type.shape)],
  onnx: (emit, [x], { shape }) => emit.node("Reshape", [x!, emit.ints(shape)], { allowzero: { int: 1 } }),
  view: true,
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 6]], attrs: { shape: [3, 2, 2] } }] }
}
/** x with another shape, in which one size may be -1 (inferred); throws `ShapeError` if the element counts differ. */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  const known = Nd.size(shape.filter((d) => d !== -1))
  return apply(Reshape, [x], { shape: shape.map((d) => d === -1 ? Nd.size(x.type.shape) / known : d) })
}

interface Axes {
  readonly axes: ReadonlyArray<number>
  readonly keep: boolean
}
/** The shape without the given axes, or with size 1 in their place. */
export const reducedShape = (shape: Shape, { axes, keep }: Axes): Shape =>
  keep ? shape.map((d, a) => axes.includes(a) ? 1 : d) : shape.filter((_, a) => !axes.includes(a))

/** Axes counted from the front; negative ones are counted from the back. */
export const axesOf = (x: Tensor, axes: ReadonlyArray<number>): ReadonlyArray<number> =>
  axes.map((a) => a < 0 ? a + x.type.shape.length : a)

/** Sums over axes. */
export const ReduceSum: Op<Axes> = {
  name: "ReduceSum",
  infer: ([x], attrs) => ({ dtype: x!.dtype, shape: reducedShape(x!.shape, attrs) }),
  evaluate: ([x], { axes }, type) => {
    const kept = Nd.strides(x!.shape.map((d, a) => axes.includes(a) ? 1 : d))
    const sum = new Float64Array(Nd.size(type.shape))
    Nd.forEach(x!.shape, (index, flat) => {
      let at = 0
      for (let a = 0; a < index.length; a++) if (!axes.includes(a)) at += index[a]! * kept[a]!
      sum[at]! += x!.data[flat]!
    })
    return { shape: type.shape, data: sum }
  },
  vjp: (ct, [x], _, { axes }) => [
    expand(reshape(ct, reducedShape(x!.type.shape, { axes, keep: true })), x!.type.shape)
  ],
  onnx: (emit, [x], { axes, keep }) =>
    emit.node("ReduceSum", [x!, emit.ints(axes)], { keepdims: { int: keep ? 1 : 0 } }),
  law: {
    ranges: [real(-2, 2)],
    cases: [
      { shapes: [[2, 3, 4]], attrs: { axes: [1], keep: false } },
      { shapes: [[2, 3]], attrs: { axes: [0, 1], keep: true } }
    ]
  }
}
/** Sums over axes, negative ones counted from the back; `keep` leaves each with size 1. */
export const sum = (x: Tensor, axes: ReadonlyArray<number>, keep = false): Tensor =>
  axes.length === 0 ? x : apply(ReduceSum, [x], { axes: axesOf(x, axes), keep })
/** The sum of all elements, a scalar. */
export const sumAll = (x: Tensor): Tensor => sum(x, x.type.shape.map((_, a) => a))

/** Broadcasting, as NumPy does it. */
export const Expand: Op<{ readonly shape: Shape }> = {
  name: "Expand",
  infer: ([x], { shape }) => {
    if (broadcastShape(x!.shape, shape)?.join() !== shape.join()) {
      throw new ShapeError("Expand", [x!], `does not broadcast to ${shape.join("x")}`)
    }
    return { dtype: x!.dtype, shape }
  },
  evaluate: ([x], { shape }) => Nd.make(shape, (index) => Nd.get(x!, index)),
  vjp: (ct, [x]) => [unbroadcast(ct, x!.type.shape)],
  onnx: (emit, [x], { shape }) => emit.node("Expand", [x!, emit.ints(shape)]),
  law: {
    ranges: [real(-2, 2)],
    cases: [{ shapes: [[3, 1]], attrs: { shape: [2, 3, 4] } }, { shapes: [[]], attrs: { shape: [2] } }]
  }
}
/** x broadcast to a shape; throws `ShapeError` if it does not broadcast to it. */
export const expand = (x: Tensor, shape: Shape): Tensor =>
  x.type.shape.join() === shape.join() ? x : apply(Expand, [x], { shape })

/** The adjoint of broadcasting `shape` to the shape of `ct`: sums over the broadcast axes. */
export const unbroadcast = (ct: Tensor, shape: Shape): Tensor => {
  const from = ct.type.shape
  if (from.join() === shape.join()) return ct
  const skip = from.length - shape.length
  const axes = from.flatMap((d, a) => a < skip || (shape[a - skip] === 1 && d !== 1) ? [a] : [])
  return reshape(sum(ct, axes), shape)
}
