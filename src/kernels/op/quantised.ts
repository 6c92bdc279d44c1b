/**
 * Quantised matrices (see `Quantised`), as three tensors: quants uint8 [n, blocks, bytes], scales float32 [n, blocks] and
 * zeros uint8 [n, ⌈blocks · bits / 8⌉]. They are looked up in, multiplied by, and only as a last resort widened.
 */
import * as Nd from "../NdArray.ts"
import { emitAll } from "../onnx/emit.ts"
import { type Blocks, eachOf, partShapes } from "../quantise.ts"
import {
  apply,
  bytesOf,
  constant,
  type Emitter,
  index,
  input,
  type Op,
  type Range,
  real,
  scalar,
  ShapeError,
  showType,
  type Tensor,
  type TensorType
} from "../Tensor.ts"
import { expand, reshape, sum } from "./broadcast.ts"
import { composite } from "./composite.ts"
import { matmul } from "./contract.ts"
import { add, mul } from "./elementwise.ts"
import { pad, scatterAdd } from "./gather.ts"
import { iota } from "./iota.ts"
import { after } from "./scheduling.ts"

/** Blocks and number of columns of a quantised matrix. */
export interface Matrix extends Blocks {
  readonly columns: number
}

/** The tensors of a quantised matrix. */
export interface Parts {
  readonly quants: Tensor
  readonly scales: Tensor
  readonly zeros: Tensor
}
type Three = readonly [quants: Tensor, scales: Tensor, zeros: Tensor]
const listed = ({ quants, scales, zeros }: Parts): Three => [quants, scales, zeros]

/** Throws `ShapeError` unless the operands from `first` on are the parts of such a matrix; returns its rows. */
const rowsOf = (op: string, inputs: ReadonlyArray<TensorType>, first: number, matrix: Matrix): number => {
  const rows = inputs[first]!.shape[0]!
  const { quants, scales, zeros } = partShapes(matrix, rows, matrix.columns)
  const types = [["uint8", quants], ["float32", scales], ["uint8", zeros]] as const
  const wanted = types.map(([dtype, shape]) => showType({ dtype, shape }))
  if (wanted.some((type, i) => type !== showType(inputs[first + i]!))) {
    throw new ShapeError(op, inputs, `not the parts ${wanted.join(", ")} of ${matrix.bits} bits`)
  }
  return rows
}

/** For each block of `size` columns, 1 in its columns: [blocks, columns]. */
const membership = (columns: number, size: number): Tensor => {
  const key = `${columns} ${size}`
  const known = memberships.get(key)
  if (known) return known
  const blocks = Math.ceil(columns / size)
  const made = constant(Nd.make([blocks, columns], ([b, c]) => Math.floor(c! / size) === b ? 1 : 0))
  memberships.set(key, made)
  return made
}
/** One of each size, so that a graph has it once. */
const memberships = new Map<string, Tensor>()

/** Numbers of blocks [m, blocks] for each column of its block: [m, columns]. */
export const spread = (numbers: Tensor, { columns, size }: Pick<Matrix, "columns" | "size">): Tensor =>
  matmul(numbers, membership(columns, size))
/** Sums over the columns of each block of x [m, columns]: [m, blocks]. */
export const blockSums = (x: Tensor, size: number): Tensor => matmul(x, membership(x.type.shape[1]!, size), false, true)

/** A matrix w [n, columns] with an offset [n, blocks] added to each block of `size` columns. */
export const Shift: Op<Pick<Blocks, "size">> = composite<Pick<Blocks, "size">>(
  "Shift",
  ([w, offsets], { size }) => add(w!, spread(offsets!, { columns: w!.type.shape[1]!, size })),
  (ct, _, __, { size }) => [ct, blockSums(ct, size)],
  {
    ranges: [real(-2, 2), real(-2, 2)],
    cases: [
      { shapes: [[3, 32], [3, 2]], attrs: { size: 16 } },
      { shapes: [[2, 42], [2, 3]], attrs: { size: 16 } }
    ]
  }
)

/** Two packed integers or one, not far from the zero points: sums of a block's are exact enough in float32 to compare. */
const near: Range = { dtype: "uint8", low: 0x70, high: 0x90 }

/** The gradient of the scales, from that of the matrix: each block's sum of gradient · (q - zero). */
const ofScales = (ct: Tensor, [quants, scales, zeros]: Three, matrix: Matrix): Tensor => {
  const [rows, blocks] = scales.type.shape as [number, number]
  const steps = dequantise({ quants, scales: expand(scalar(1), [rows, blocks]), zeros }, matrix)
  const padded = pad(mul(ct, steps), 1, 0, blocks * matrix.size - matrix.columns)
  return sum(reshape(padded, [rows, blocks, matrix.size]), [2])
}

/** `accuracy_level` of MatMulNBits: operands in 8 bits. */
const INT8 = 4

type Writing = Op<Matrix>["onnx"]

/** Rows by the operator that is made for it. WebGPU's counts two zero points for every byte: blocks must be even. */
const gathered: Writing = (emit, [quants, scales, zeros, at], { bits, columns, size }, { inputs }) => {
  const [rows, blocks, bytes] = inputs[0]!.shape as [number, number, number]
  if (emit.target.name === "webgpu" && bits === 4 && blocks % 2 === 1) {
    const reason = `WebGPU reads rows of 4 bits in an even number of blocks only, not ${blocks} of ${size}`
    throw new ShapeError("QuantisedRows", inputs, `${reason}; set quantization_block_size: 32, or quantization: int8`)
  }
  const table = emit.node("Reshape", [quants!, emit.ints([rows, blocks * bytes])])
  const attributes = {
    bits: { int: bits },
    block_size: { int: size },
    gather_axis: { int: 0 },
    quantize_axis: { int: 1 }
  }
  const found = emit.node("GatherBlockQuantized", [table, at!, scales!, zeros!], attributes, "com.microsoft")
  if (columns === blocks * size) return found
  return emit.node("Slice", [found, emit.ints([0]), emit.ints([columns]), emit.ints([-1])])
}

/** The integers of packed bytes, as float32; of two in a byte, the lower half comes first. */
const integers = (emit: Emitter, bytes: string, bits: Blocks["bits"]): string => {
  if (bits === 8) return emit.cast(bytes, "float32")
  const flat = emit.node("Reshape", [bytes, emit.ints([1, -1])])
  const low = emit.node("BitwiseAnd", [flat, emit.scalar("uint8", 15)])
  const high = emit.node("BitShift", [flat, emit.scalar("uint8", 4)], { direction: { text: "RIGHT" } })
  const pairs = emit.node("Transpose", [emit.node("Concat", [low, high], { axis: { int: 0 } })], {
    perm: { ints: [1, 0] }
  })
  return emit.cast(pairs, "float32")
}

/** Rows by arithmetic on the parts' rows: on the CPU, where that operator takes several times as long. */
const computed: Writing = (emit, [quants, scales, zeros, at], { bits, columns, size }, { inputs, output }) => {
  const blocks = inputs[1]!.shape[1]!
  const shaped = (value: string, ...shape: ReadonlyArray<number>) => emit.node("Reshape", [value, emit.ints(shape)])
  const first = (value: string, count: number) =>
    emit.node("Slice", [value, emit.ints([0]), emit.ints([count]), emit.ints([1])])
  const rowsOf = (part: string) => emit.node("Gather", [part, at!])
  const packed = inputs[2]!.shape[1]! * 8 / bits
  const zero = first(shaped(integers(emit, rowsOf(zeros!), bits), -1, packed), blocks)
  const steps = emit.node("Sub", [
    shaped(integers(emit, rowsOf(quants!), bits), -1, blocks, size),
    shaped(zero, -1, blocks, 1)
  ])
  const whole = emit.node("Mul", [steps, shaped(rowsOf(scales!), -1, blocks, 1)])
  return shaped(first(shaped(whole, -1, blocks * size), columns), ...output.shape)
}

/** Rows of a quantised matrix at int32 indices of any shape, as float32 [...indices, columns]. */
export const QuantisedRows: Op<Matrix> = {
  name: "QuantisedRows",
  infer: (inputs, matrix) => {
    rowsOf("QuantisedRows", inputs, 0, matrix)
    if (inputs[3]!.dtype !== "int32") throw new ShapeError("QuantisedRows", inputs, "indices are not int32")
    return { dtype: "float32", shape: [...inputs[3]!.shape, matrix.columns] }
  },
  evaluate: ([quants, scales, zeros, at], matrix, { shape }) => {
    const parts = { quants: quants!.data, scales: scales!.data, zeros: zeros!.data }
    const data = new Float64Array(Nd.size(shape))
    at!.data.forEach((row, i) => {
      eachOf(parts, row, matrix.columns, matrix, (value, column) => data[i * matrix.columns + column] = value)
    })
    return { shape, data }
  },
  vjp: (ct, inputs, _, matrix) => {
    const [quants, scales, zeros, at] = inputs as [Tensor, Tensor, Tensor, Tensor]
    return [null, ofScales(scatterAdd(ct, at, scales.type.shape[0]!), [quants, scales, zeros], matrix), null, null]
  },
  onnx: (emit, inputs, matrix, types) =>
    emit.target.device ? gathered(emit, inputs, matrix, types) : computed(emit, inputs, matrix, types),
  law: {
    ranges: [near, real(-2, 2), near, index(3)],
    cases: [
      { shapes: [[3, 2, 8], [3, 2], [3, 1], [2, 2]], attrs: { bits: 4, size: 16, columns: 32 } },
      { shapes: [[3, 3, 8], [3, 3], [3, 2], [4]], attrs: { bits: 4, size: 16, columns: 42 } },
      { shapes: [[3, 2, 16], [3, 2], [3, 2], [2]], attrs: { bits: 8, size: 16, columns: 30 } }
    ]
  }
}
/** Rows of a quantised matrix at int32 indices of any shape, as float32 [...indices, columns]. */
export const quantisedRows = (parts: Parts, at: Tensor, { bits, columns, size }: Matrix): Tensor =>
  apply(QuantisedRows, [...listed(parts), at], { bits, size, columns })

/** A quantised matrix as float32 [n, columns]. */
export const Dequantise: Op<Matrix> = composite<Matrix>(
  "Dequantise",
  ([quants, scales, zeros], matrix) =>
    quantisedRows({ quants: quants!, scales: scales!, zeros: zeros! }, iota([scales!.type.shape[0]!]), matrix),
  (ct, inputs, _, matrix) => [null, ofScales(ct, inputs as unknown as Three, matrix), null],
  {
    ranges: [near, real(-2, 2), near],
    cases: [
      { shapes: [[3, 2, 8], [3, 2], [3, 1]], attrs: { bits: 4, size: 16, columns: 20 } },
      { shapes: [[3, 1, 16], [3, 1], [3, 1]], attrs: { bits: 8, size: 16, columns: 16 } }
    ]
  }
)
/** A quantised matrix as float32 [n, columns]; with offsets [n, blocks], these are added to its blocks. */
export const dequantise = (parts: Parts, { bits, columns, size }: Matrix, offsets?: Tensor): Tensor => {
  const whole = apply(Dequantise, listed(parts), { bits, size, columns })
  return offsets ? apply(Shift, [whole, offsets], { size }) : whole
}

/**
 * Whether the operator made for the product does not widen the matrix each time, which takes longer than `computed`: on the
 * CPU, it has kernels for 4 bits, and for 8 where x may be rounded, if it can lay the matrix out beforehand.
 */
const packs = ({ rounds, target, within }: Emitter, { bits }: Matrix): boolean =>
  target.device || (within && (bits === 4 || rounds))

const multiplied: Writing = (emit, inputs, { bits, columns, size }, { output }) =>
  emit.product("MatMulNBits", inputs, {
    K: { int: columns },
    N: { int: output.shape[1]! },
    bits: { int: bits },
    block_size: { int: size },
    ...(emit.rounds && !emit.target.device ? { accuracy_level: { int: INT8 } } : {})
  }, "com.microsoft")

/** The product with the matrix in float32, which is widened once x is there. */
const widened: Writing = (emit, names, matrix, { inputs }) => {
  const operands = inputs.map((t, i) => input(`operand${i}`, t.shape, t.dtype))
  const [x, quants, scales, zeros] = operands as [Tensor, Tensor, Tensor, Tensor]
  const rows = after(iota([scales.type.shape[0]!]), [x])
  const product = matmul(x, quantisedRows({ quants, scales, zeros }, rows, matrix), false, true)
  return emitAll(emit, [product], new Map(operands.map((t, i) => [t, names[i]!])))[0]!
}

/**
 * x Wᵀ for rows x [m, columns] and a quantised W [n, columns]: [m, n]. Products and sums are float32, unless the graph
 * allows the CPU to round x to 8 bits a block (`rounds`) and to multiply integers, for which it has the faster kernels.
 */
export const QuantisedMatMul: Op<Matrix> = {
  name: "QuantisedMatMul",
  infer: (inputs, matrix) => {
    const [x] = inputs
    const rows = rowsOf("QuantisedMatMul", inputs, 1, matrix)
    if (x!.dtype !== "float32" || x!.shape.length !== 2 || x!.shape[1] !== matrix.columns) {
      throw new ShapeError("QuantisedMatMul", inputs, `not rows of ${matrix.columns} numbers`)
    }
    return { dtype: "float32", shape: [x!.shape[0]!, rows] }
  },
  evaluate: ([x, quants, scales, zeros], matrix, { shape }) => {
    const [[m, n], { columns }] = [shape as [number, number], matrix]
    const parts = { quants: quants!.data, scales: scales!.data, zeros: zeros!.data }
    const data = new Float64Array(m * n)
    for (let row = 0; row < n; row++) {
      eachOf(parts, row, columns, matrix, (value, column) => {
        for (let i = 0; i < m; i++) data[i * n + row]! += value * x!.data[i * columns + column]!
      })
    }
    return { shape, data }
  },
  vjp: (ct, inputs, _, matrix) => {
    const [x, quants, scales, zeros] = inputs as [Tensor, Tensor, Tensor, Tensor]
    const whole = dequantise({ quants, scales, zeros }, matrix)
    return [matmul(ct, whole), null, ofScales(matmul(ct, x, true), [quants, scales, zeros], matrix), null]
  },
  onnx: (emit, inputs, matrix, types) =>
    packs(emit, matrix) ? multiplied(emit, inputs, matrix, types) : widened(emit, inputs, matrix, types),
  flops: ({ output }, { columns }) => 2 * Nd.size(output.shape) * columns,
  /** At most: a matrix that is fed, and so not laid out beforehand, is widened for the product. */
  scratch: ({ inputs: [x], output }) => bytesOf({ dtype: "float32", shape: [output.shape[1]!, x!.shape[1]!] }),
  law: {
    ranges: [real(-0.2, 0.2), near, real(-1, 1), near],
    cases: [
      { shapes: [[2, 32], [3, 2, 8], [3, 2], [3, 1]], attrs: { bits: 4, size: 16, columns: 32 } },
      { shapes: [[3, 42], [2, 3, 8], [2, 3], [2, 2]], attrs: { bits: 4, size: 16, columns: 42 } },
      { shapes: [[2, 30], [3, 2, 16], [3, 2], [3, 2]], attrs: { bits: 8, size: 16, columns: 30 } }
    ]
  }
}
/** x Wᵀ for rows x [m, columns] and a quantised W [n, columns]: [m, n]. */
export const quantisedMatMul = (x: Tensor, parts: Parts, { bits, columns, size }: Matrix): Tensor =>
  apply(QuantisedMatMul, [x, ...listed(parts)], { bits, size, columns })
