/** How quantised matrices are read: looked up in and multiplied by as they are; for all else widened just before. */
import { reshape } from "../op/broadcast.ts"
import { Affine, MatMul, matmul } from "../op/contract.ts"
import { add, scale } from "../op/elementwise.ts"
import { Gather, gather } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import {
  blockSums,
  Dequantise,
  type Matrix,
  type Parts,
  quantisedMatMul,
  quantisedRows,
  Shift,
  spread
} from "../op/quantised.ts"
import { after } from "../op/scheduling.ts"
import { type Apply, apply, type Tensor, topological } from "../Tensor.ts"

const isShifted = (t: Tensor): t is Apply => t._tag === "Apply" && t.op === Shift && isMatrix(t.inputs[0]!)
const isMatrix = (t: Tensor): t is Apply => t._tag === "Apply" && t.op === Dequantise
const isWidened = (t: Tensor): t is Apply => isMatrix(t) || isShifted(t)

/** A quantised matrix that is read: its parts, its blocks, and offsets if it has them. */
interface Read {
  readonly parts: Parts
  readonly matrix: Matrix
  readonly offsets: Tensor | undefined
}
const readOf = (t: Apply): Read => {
  const { attrs, inputs: [quants, scales, zeros] } = isShifted(t) ? t.inputs[0] as Apply : t
  const parts = { quants: quants!, scales: scales!, zeros: zeros! }
  return { parts, matrix: attrs, offsets: isShifted(t) ? t.inputs[1]! : undefined }
}

/** The sum, if there is a second term. */
const plus = (x: Tensor, more: Tensor | undefined): Tensor => more ? add(x, more) : x

/** x Wᵀ. */
const product = (x: Tensor, { matrix, offsets, parts }: Read): Tensor =>
  plus(quantisedMatMul(x, parts, matrix), offsets && matmul(blockSums(x, matrix.size), offsets, false, true))

/** Rows at indices of any shape. */
const rowsAt = (at: Tensor, { matrix, offsets, parts }: Read): Tensor => {
  const found = quantisedRows(parts, at, matrix)
  if (!offsets) return found
  const own = reshape(gather(offsets, at), [-1, offsets.type.shape[1]!])
  return add(found, reshape(spread(own, matrix), found.type.shape))
}

/** The same value from the quantised matrix itself; `undefined` if the op does not read it by rows or transposed. */
const direct = (t: Apply, inputs: ReadonlyArray<Tensor>): Tensor | undefined => {
  const [x, w, bias] = inputs
  if (t.op === Gather && isWidened(x!)) return rowsAt(w!, readOf(x))
  if (w === undefined || !isWidened(w) || isWidened(x!)) return undefined
  if (t.op === Affine) return add(product(x!, readOf(w)), bias!)
  if (t.op !== MatMul || t.attrs.transA) return undefined
  const { alpha, transB } = t.attrs
  if (transB) return alpha === 1 ? product(x!, readOf(w)) : scale(product(x!, readOf(w)), alpha)
  const { matrix, offsets } = readOf(w)
  if (!offsets) return undefined
  /** x (W + offsets): what is widened is W alone. */
  const shift = spread(matmul(x!, offsets), matrix)
  return add(widened(t, [x!, w.inputs[0]!]), alpha === 1 ? shift : scale(shift, alpha))
}

/** Widened for one reader, once the other operand that it meets is there: one matrix at a time is held in float32. */
const widened = (t: Apply, inputs: ReadonlyArray<Tensor>): Tensor => {
  const other = inputs.find((x) => x._tag === "Apply" && !isWidened(x))
  const met = inputs.map((x) => {
    if (!other || !isWidened(x)) return x
    const { matrix, offsets, parts } = readOf(x)
    const all = quantisedRows(parts, after(iota([x.type.shape[0]!]), [other]), matrix)
    return plus(all, offsets && spread(offsets, matrix))
  })
  return apply(t.op, met, t.attrs)
}

/** Expressions of equal value that read quantised matrices directly where they can. */
export const readQuantised = (outputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const made = new Map<Tensor, Tensor>()
  for (const t of topological(outputs)) {
    const inputs = t._tag === "Apply" ? t.inputs.map((x) => made.get(x)!) : []
    const shifted: boolean = isShifted(t)
    if (t._tag !== "Apply" || shifted || (inputs.every((x, i) => x === t.inputs[i]) && !inputs.some(isWidened))) {
      made.set(t, t)
    } else made.set(t, inputs.some(isWidened) ? direct(t, inputs) ?? widened(t, inputs) : apply(t.op, inputs, t.attrs))
  }
  return outputs.map((t) => made.get(t)!)
}
