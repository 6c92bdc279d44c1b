/** How quantised matrices are read: looked up in and multiplied by as they are; for all else widened just before. */
import { Affine, MatMul } from "../op/contract.ts"
import { add, scale } from "../op/elementwise.ts"
import { Gather } from "../op/gather.ts"
import { iota } from "../op/iota.ts"
import { Dequantise, type Matrix, type Parts, quantisedMatMul, quantisedRows } from "../op/quantised.ts"
import { after } from "../op/scheduling.ts"
import { type Apply, apply, type Tensor, topological } from "../Tensor.ts"

const isWidened = (t: Tensor): t is Apply => t._tag === "Apply" && t.op === Dequantise

/** A quantised matrix that is read: its parts, and its blocks. */
interface Read {
  readonly parts: Parts
  readonly matrix: Matrix
}
const readOf = ({ attrs, inputs: [quants, scales, zeros] }: Apply): Read => ({
  parts: { quants: quants!, scales: scales!, zeros: zeros! },
  matrix: attrs
})

/** The same value from the quantised matrix itself; `undefined` if the op does not read it by rows or transposed. */
const direct = (t: Apply, inputs: ReadonlyArray<Tensor>): Tensor | undefined => {
  const [x, w, bias] = inputs
  if (t.op === Gather && isWidened(x!)) {
    const { matrix, parts } = readOf(x)
    return quantisedRows(parts, w!, matrix)
  }
  if (w === undefined || !isWidened(w) || isWidened(x!)) return undefined
  const { matrix, parts } = readOf(w)
  if (t.op === Affine) return add(quantisedMatMul(x!, parts, matrix), bias!)
  if (t.op !== MatMul || t.attrs.transA || !t.attrs.transB) return undefined
  const product = quantisedMatMul(x!, parts, matrix)
  return t.attrs.alpha === 1 ? product : scale(product, t.attrs.alpha)
}

/** Widened for one reader, once the other operand that it meets is there: one matrix at a time is held in float32. */
const widened = (t: Apply, inputs: ReadonlyArray<Tensor>): Tensor => {
  const other = inputs.find((x) => x._tag === "Apply" && !isWidened(x))
  const met = inputs.map((x) => {
    if (!other || !isWidened(x)) return x
    const { matrix, parts } = readOf(x)
    return quantisedRows(parts, after(iota([x.type.shape[0]!]), [other]), matrix)
  })
  return apply(t.op, met, t.attrs)
}

/** Expressions of equal value that read quantised matrices directly where they can. */
export const readQuantised = (outputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const made = new Map<Tensor, Tensor>()
  for (const t of topological(outputs)) {
    const inputs = t._tag === "Apply" ? t.inputs.map((x) => made.get(x)!) : []
    if (t._tag !== "Apply" || (inputs.every((x, i) => x === t.inputs[i]) && !inputs.some(isWidened))) made.set(t, t)
    else made.set(t, inputs.some(isWidened) ? direct(t, inputs) ?? widened(t, inputs) : apply(t.op, inputs, t.attrs))
  }
  return outputs.map((t) => made.get(t)!)
}
