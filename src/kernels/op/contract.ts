/** Contractions: MatMul, whose operands may be read transposed, and Transpose. */
import * as Nd from "../NdArray.ts"
import { apply, type Op, real, ShapeError, type Tensor, type TensorType } from "../Tensor.ts"
import { sum } from "./broadcast.ts"

/** Permutes the axes. */
export const Transpose: Op<{ readonly perm: ReadonlyArray<number> }> = {
  name: "Transpose",
  infer: ([x], { perm }) => {
    if (perm.toSorted().join() !== x!.shape.map((_, a) => a).join()) {
      throw new ShapeError("Transpose", [x!], `${perm.join()} is no permutation of its axes`)
    }
    return { dtype: x!.dtype, shape: perm.map((a) => x!.shape[a]!) }
  },
  evaluate: ([x], { perm }, type) => {
    const from = Nd.strides(x!.shape)
    return Nd.make(type.shape, (index) => {
      let flat = 0
      for (let a = 0; a < perm.length; a++) flat += index[a]! * from[perm[a]!]!
      return x!.data[flat]!
    })
  },
  vjp: (ct, _, __, { perm }) => [transpose(ct, perm.map((_, a) => perm.indexOf(a)))],
  onnx: (emit, inputs, { perm }) => emit.node("Transpose", inputs, { perm: { ints: perm } }),
  law: { ranges: [real(-2, 2)], cases: [{ shapes: [[2, 3, 4]], attrs: { perm: [2, 0, 1] } }] }
}
/** x with its axes in the order `perm`. */
export const transpose = (x: Tensor, perm: ReadonlyArray<number>): Tensor => apply(Transpose, [x], { perm })

interface Product {
  readonly transA: boolean
  readonly transB: boolean
  /** Factor of the product. */
  readonly alpha: number
}

/** [batch, rows, columns] of an operand, after any transposition. */
const matrix = (type: TensorType, transposed: boolean): readonly [ReadonlyArray<number>, number, number] => {
  const [m, n] = [type.shape.at(-2)!, type.shape.at(-1)!]
  return [type.shape.slice(0, -2), ...(transposed ? [n, m] as const : [m, n] as const)]
}

/** Matrix product: a Gemm for two matrices, a FusedMatMul for batches of them; neither moves data to transpose. */
export const MatMul: Op<Product> = {
  name: "MatMul",
  infer: ([a, b], { transA, transB }) => {
    const fail = (reason: string) => new ShapeError("MatMul", [a!, b!], reason)
    if (a!.shape.length < 2 || a!.shape.length !== b!.shape.length) throw fail("ranks differ or are below 2")
    const [batchA, m, k] = matrix(a!, transA)
    const [batchB, l, n] = matrix(b!, transB)
    if (k !== l) throw fail("inner dimensions differ")
    if (batchA.join() !== batchB.join()) throw fail("batch dimensions differ")
    return { dtype: a!.dtype, shape: [...batchA, m, n] }
  },
  evaluate: ([a, b], { alpha, transA, transB }, type) => {
    const [m, n] = [type.shape.at(-2)!, type.shape.at(-1)!]
    const k = a!.shape.at(transA ? -2 : -1)!
    const [ai, ak] = transA ? [1, m] : [k, 1]
    const [bk, bj] = transB ? [1, k] : [n, 1]
    const data = new Float64Array(Nd.size(type.shape))
    for (let at = 0; at < data.length; at++) {
      const [stack, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n]
      let sum = 0
      for (let l = 0; l < k; l++) {
        sum += a!.data[stack * m * k + i * ai + l * ak]! * b!.data[stack * k * n + l * bk + j * bj]!
      }
      data[at] = alpha * sum
    }
    return { shape: type.shape, data }
  },
  vjp: (ct, [a, b], _, { alpha, transA, transB }) => [
    transA ? matmul(b!, ct, transB, true, alpha) : matmul(ct, b!, false, !transB, alpha),
    transB ? matmul(ct, a!, true, transA, alpha) : matmul(a!, ct, !transA, false, alpha)
  ],
  onnx: (emit, inputs, { alpha, transA, transB }, { output }) => {
    const attributes = {
      transA: { int: transA ? 1 : 0 },
      transB: { int: transB ? 1 : 0 },
      alpha: { float: alpha }
    }
    if (output.shape.length === 2) return emit.product("Gemm", inputs, attributes)
    if (emit.target.has("FusedMatMul")) return emit.product("FusedMatMul", inputs, attributes, "com.microsoft")
    const rank = output.shape.length
    const swapped = [...Array(rank - 2).keys(), rank - 1, rank - 2]
    const read = [transA, transB].map((transposed, i) =>
      transposed ? emit.node("Transpose", [inputs[i]!], { perm: { ints: swapped } }) : inputs[i]!
    )
    const product = emit.product("MatMul", read)
    return alpha === 1 ? product : emit.node("Mul", [product, emit.scalar("float32", alpha)])
  },
  flops: ({ inputs, output }, { transA }) => 2 * Nd.size(output.shape) * inputs[0]!.shape.at(transA ? -2 : -1)!,
  law: {
    ranges: [real(-2, 2), real(-2, 2)],
    cases: [
      { shapes: [[2, 3], [3, 4]], attrs: { transA: false, transB: false, alpha: 1 } },
      { shapes: [[2, 3], [4, 3]], attrs: { transA: false, transB: true, alpha: 1 } },
      { shapes: [[3, 2], [3, 4]], attrs: { transA: true, transB: false, alpha: 1 } },
      { shapes: [[2, 2, 3, 2], [2, 2, 4, 3]], attrs: { transA: true, transB: true, alpha: 0.5 } },
      { shapes: [[2, 3, 2], [2, 2, 4]], attrs: { transA: false, transB: false, alpha: 1 } }
    ]
  }
}
/** alpha · a b over the last two axes, transposed if asked; throws `ShapeError` unless inner and batch sizes match. */
export const matmul = (a: Tensor, b: Tensor, transA = false, transB = false, alpha = 1): Tensor =>
  apply(MatMul, [a, b], { transA, transB, alpha })

/** x Wᵀ + b in one Gemm: rows [n, in], weight [out, in] as PyTorch stores it, bias [out]. */
export const Affine: Op<{}> = {
  name: "Affine",
  infer: ([x, w, b]) => {
    if (x!.shape.length !== 2 || w!.shape.length !== 2 || x!.shape[1] !== w!.shape[1] || b!.shape[0] !== w!.shape[0]) {
      throw new ShapeError("Affine", [x!, w!, b!], "not [n, in], [out, in], [out]")
    }
    return { dtype: x!.dtype, shape: [x!.shape[0]!, w!.shape[0]!] }
  },
  evaluate: ([x, w, b], _, type) => {
    const product = MatMul.evaluate([x!, w!], { transA: false, transB: true, alpha: 1 }, type)
    return Nd.make(type.shape, ([_, j], flat) => product.data[flat]! + b!.data[j!]!)
  },
  vjp: (ct, [x, w]) => [matmul(ct, w!), matmul(ct, x!, true), sum(ct, [0])],
  onnx: (emit, inputs) => emit.product("Gemm", inputs, { transB: { int: 1 } }),
  flops: ({ inputs, output }) => 2 * Nd.size(output.shape) * inputs[0]!.shape[1]!,
  law: {
    ranges: [real(-2, 2), real(-2, 2), real(-2, 2)],
    cases: [{ shapes: [[2, 3], [4, 3], [4]], attrs: {} }]
  }
}
/** x Wᵀ + b: x [n, in], weight [out, in], bias [out] -> [n, out]. */
export const affine = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => apply(Affine, [x, weight, bias], {})
