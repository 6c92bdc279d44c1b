/** Indexing ops: Gather ⇄ ScatterAdd (rows), Take ⇄ Deposit (one element per row), Slice ⇄ Pad, Concat. */
import * as Nd from "../NdArray.ts"
import { apply, bytesOf, index, type Op, real, scalar, ShapeError, type Tensor } from "../Tensor.ts"
import { axesOf, expand, reshape } from "./broadcast.ts"

/** Rows of a table [n, ...] at int32 indices of any shape: [...indices, ...row]. */
export const Gather: Op<{}> = {
  name: "Gather",
  infer: ([table, at]) => {
    if (at!.dtype !== "int32") throw new ShapeError("Gather", [table!, at!], "indices are not int32")
    return { dtype: table!.dtype, shape: [...at!.shape, ...table!.shape.slice(1)] }
  },
  evaluate: ([table, at], _, type) => {
    const width = Nd.size(table!.shape.slice(1))
    const data = new Float64Array(Nd.size(type.shape))
    at!.data.forEach((row, i) => data.set(table!.data.subarray(row * width, (row + 1) * width), i * width))
    return { shape: type.shape, data }
  },
  vjp: (ct, [table, at]) => [scatterAdd(ct, at!, table!.type.shape[0]!), null],
  onnx: (emit, inputs) => emit.node("Gather", inputs, { axis: { int: 0 } }),
  law: { ranges: [real(-2, 2), index(4)], cases: [{ shapes: [[4, 3], [2, 3]], attrs: {} }] }
}
/** Rows of a table [n, ...row] at int32 indices of any shape: [...indices, ...row]. */
export const gather = (table: Tensor, at: Tensor): Tensor => apply(Gather, [table, at], {})

/**
 * A table of `rows` zero rows, with the given rows added at the given indices.
 *
 * Written as ScatterElements, which adds in order: ScatterND in ONNX Runtime 1.30 adds rows with the same index from
 * several threads at once and loses some. Over one flat axis it takes half the time of two.
 */
export const ScatterAdd: Op<{ readonly rows: number }> = {
  name: "ScatterAdd",
  infer: ([values, at], { rows }) => ({
    dtype: values!.dtype,
    shape: [rows, ...values!.shape.slice(at!.shape.length)]
  }),
  evaluate: ([values, at], _, type) => {
    const width = Nd.size(type.shape.slice(1))
    const data = new Float64Array(Nd.size(type.shape))
    at!.data.forEach((row, i) => {
      for (let j = 0; j < width; j++) data[row * width + j]! += values!.data[i * width + j]!
    })
    return { shape: type.shape, data }
  },
  vjp: (ct, [_, at]) => [gather(ct, at!), null],
  onnx: (emit, [values, at], _, { inputs, output }) => {
    const [count, width, size] = [Nd.size(inputs[1]!.shape), Nd.size(output.shape.slice(1)), Nd.size(output.shape)]
    const type = size < 2 ** 31 ? "int32" : "int64"
    const zeros = emit.node("Expand", [emit.scalar("float32", 0), emit.ints([size])])
    const column = emit.cast(emit.node("Reshape", [at!, emit.ints([count, 1])]), type)
    const starts = emit.node("Mul", [column, emit.scalar(type, width)])
    const within = emit.constant(type, [1, width], Array.from({ length: width }, (_, i) => i))
    const [places, parts] = [emit.node("Add", [starts, within]), values!].map((x) =>
      emit.node("Reshape", [x, emit.ints([count * width])])
    )
    const added = emit.node("ScatterElements", [zeros, places!, parts!], { reduction: { text: "add" } })
    return emit.node("Reshape", [added, emit.ints(output.shape)])
  },
  /** The zeros, and an index per value. */
  scratch: ({ inputs, output }) => bytesOf(output) + bytesOf(inputs[0]!),
  law: { ranges: [real(-2, 2), index(4)], cases: [{ shapes: [[2, 3, 2], [2, 3]], attrs: { rows: 4 } }] }
}
/** Adds each value to its row of a zero table of `rows` rows; the adjoint of `gather`. */
export const scatterAdd = (values: Tensor, at: Tensor, rows: number): Tensor =>
  apply(ScatterAdd, [values, at], { rows })

/** One element of each row: x [..., n] at int32 indices [...]. */
export const Take: Op<{}> = {
  name: "Take",
  infer: ([x, at]) => {
    if (x!.shape.slice(0, -1).join() !== at!.shape.join()) throw new ShapeError("Take", [x!, at!], "one index a row")
    return { dtype: x!.dtype, shape: at!.shape }
  },
  evaluate: ([x, at]) => ({ shape: at!.shape, data: at!.data.map((j, r) => x!.data[r * x!.shape.at(-1)! + j]!) }),
  vjp: (ct, [x, at]) => [deposit(expand(scalar(0), x!.type.shape), ct, at!), null],
  onnx: (emit, [x, at], _, { inputs, output }) => {
    const places = emit.node("Reshape", [at!, emit.ints([...inputs[1]!.shape, 1])])
    const taken = emit.node("GatherElements", [x!, places], { axis: { int: -1 } })
    return emit.node("Reshape", [taken, emit.ints(output.shape)])
  },
  law: { ranges: [real(-2, 2), index(4)], cases: [{ shapes: [[2, 3, 4], [2, 3]], attrs: {} }] }
}
/** x [..., n] at int32 indices [...], one per row: [...]. */
export const take = (x: Tensor, at: Tensor): Tensor => apply(Take, [x, at], {})

/** x [..., n] with one value added in each row: values [...] at int32 indices [...]. */
export const Deposit: Op<{}> = {
  name: "Deposit",
  infer: ([x, values, at]) => {
    const rows = x!.shape.slice(0, -1).join()
    if (rows !== values!.shape.join() || rows !== at!.shape.join()) {
      throw new ShapeError("Deposit", [x!, values!, at!], "one value and one index a row")
    }
    return x!
  },
  evaluate: ([x, values, at], _, type) => {
    const data = x!.data.slice()
    values!.data.forEach((v, r) => data[r * type.shape.at(-1)! + at!.data[r]!]! += v)
    return { shape: type.shape, data }
  },
  vjp: (ct, [_, __, at]) => [ct, take(ct, at!), null],
  onnx: (emit, [x, values, at], _, { inputs }) => {
    const column = emit.ints([...inputs[1]!.shape, 1])
    const [places, updates] = [emit.node("Reshape", [at!, column]), emit.node("Reshape", [values!, column])]
    return emit.node("ScatterElements", [x!, places, updates], { axis: { int: -1 }, reduction: { text: "add" } })
  },
  law: { ranges: [real(-2, 2), real(-2, 2), index(4)], cases: [{ shapes: [[2, 3, 4], [2, 3], [2, 3]], attrs: {} }] }
}
/** x with a value added to one element of each row: x [..., n], values and int32 indices [...]. */
export const deposit = (x: Tensor, values: Tensor, at: Tensor): Tensor => apply(Deposit, [x, values, at], {})

/** The end of an axis of any length, in ONNX. */
const LAST = 2 ** 31 - 1

interface Span {
  readonly axis: number
  readonly start: number
  readonly end: number
}
/** Elements start..end-1 of an axis. */
export const Slice: Op<Span> = {
  name: "Slice",
  infer: ([x], { axis, start, end }) => {
    if (start < 0 || end > x!.shape[axis]! || start > end) throw new ShapeError("Slice", [x!], `${start}..${end}`)
    return { dtype: x!.dtype, shape: x!.shape.with(axis, end - start) }
  },
  evaluate: ([x], { axis, start }, type) => Nd.make(type.shape, (at) => Nd.get(x!, at.with(axis, at[axis]! + start))),
  vjp: (ct, [x], _, { axis, start, end }) => [pad(ct, axis, start, x!.type.shape[axis]! - end)],
  onnx: (emit, [x], { axis, start, end }, { inputs }) => {
    if (!emit.target.has("Slice", inputs[0]!.dtype)) {
      const places = Array.from({ length: end - start }, (_, i) => start + i)
      return emit.node("Gather", [x!, emit.constant("int32", [end - start], places)], { axis: { int: axis } })
    }
    const stop = end === inputs[0]!.shape[axis] ? LAST : end
    return emit.node("Slice", [x!, emit.ints([start]), emit.ints([stop]), emit.ints([axis])])
  },
  law: {
    ranges: [real(-2, 2)],
    cases: [
      { shapes: [[2, 4, 3]], attrs: { axis: 1, start: 1, end: 3 } },
      { shapes: [[2, 4]], attrs: { axis: 1, start: 1, end: 4 } }
    ]
  }
}
/** Elements from `start` to `end` (exclusive) of an axis. */
export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor =>
  start === 0 && end === x.type.shape.at(axis) ? x : apply(Slice, [x], { axis: axesOf(x, [axis])[0]!, start, end })

/** Zeros before and after an axis. */
export const Pad: Op<{ readonly axis: number; readonly before: number; readonly after: number }> = {
  name: "Pad",
  infer: ([x], { axis, before, after }) => ({
    dtype: x!.dtype,
    shape: x!.shape.with(axis, before + x!.shape[axis]! + after)
  }),
  evaluate: ([x], { axis, before }, type) =>
    Nd.make(type.shape, (at) => {
      const i = at[axis]! - before
      return i < 0 || i >= x!.shape[axis]! ? 0 : Nd.get(x!, at.with(axis, i))
    }),
  vjp: (ct, [x], _, { axis, before }) => [slice(ct, axis, before, before + x!.type.shape[axis]!)],
  onnx: (emit, [x], { axis, before, after }) =>
    emit.node("Pad", [x!, emit.ints([before, after]), emit.scalar("float32", 0), emit.ints([axis])]),
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 2, 3]], attrs: { axis: 1, before: 1, after: 2 } }] }
}
/** x with zeros before and after an axis. */
export const pad = (x: Tensor, axis: number, before: number, after: number): Tensor =>
  before === 0 && after === 0 ? x : apply(Pad, [x], { axis: axesOf(x, [axis])[0]!, before, after })

/** Concatenates operands along an axis. */
export const Concat: Op<{ readonly axis: number }> = {
  name: "Concat",
  infer: (inputs, { axis }) => {
    const rest = inputs.map((t) => t.shape.with(axis, 0).join())
    if (rest.some((s) => s !== rest[0])) throw new ShapeError("Concat", inputs, "shapes differ off the axis")
    return {
      dtype: inputs[0]!.dtype,
      shape: inputs[0]!.shape.with(axis, inputs.reduce((n, t) => n + t.shape[axis]!, 0))
    }
  },
  evaluate: (inputs, { axis }, type) =>
    Nd.make(type.shape, (at) => {
      let i = at[axis]!
      for (const x of inputs) {
        if (i < x.shape[axis]!) return Nd.get(x, at.with(axis, i))
        i -= x.shape[axis]!
      }
      return 0
    }),
  vjp: (ct, inputs, _, { axis }) => {
    let start = 0
    return inputs.map((x) => slice(ct, axis, start, start += x.type.shape[axis]!))
  },
  onnx: (emit, inputs, { axis }) => emit.node("Concat", inputs, { axis: { int: axis } }),
  law: {
    ranges: [real(-2, 2), real(-2, 2)],
    cases: [{ shapes: [[2, 3], [2, 1]], attrs: { axis: 1 } }]
  }
}
/** Concatenates tensors along an axis; throws `ShapeError` if their other axes differ. */
export const concat = (parts: ReadonlyArray<Tensor>, axis: number): Tensor =>
  parts.length === 1 ? parts[0]! : apply(Concat, parts, { axis: axesOf(parts[0]!, [axis])[0]! })

/** The tensors as the slices of a new leading axis. */
export const stack = (parts: ReadonlyArray<Tensor>): Tensor =>
  concat(parts.map((t) => reshape(t, [1, ...t.type.shape])), 0)
