/** Reverse-mode differentiation: a pure function from expressions to expressions. */
import * as Nd from "./NdArray.ts"
import { expand, unbroadcast } from "./op/broadcast.ts"
import { add } from "./op/elementwise.ts"
import { isSaved, type Recomputation, recomputation } from "./recompute.ts"
import { constant, ShapeError, type Tensor, topological } from "./Tensor.ts"

/** The expressions that depend on `wrt` by a path of reals. */
const dependents = (order: ReadonlyArray<Tensor>, wrt: ReadonlyArray<Tensor>): ReadonlySet<Tensor> => {
  const found = new Set<Tensor>(wrt)
  for (const t of order) {
    if (t._tag === "Apply" && t.type.dtype === "float32" && t.inputs.some((x) => found.has(x))) found.add(t)
  }
  return found
}

/** How the backward pass is arranged. */
export interface GradOptions {
  /**
   * Keep of the forward pass only what is `saved`, and compute what lies between again, one group after the other as the
   * backward pass comes to it: a group waits until the gradients that the one before it yields are there.
   */
  readonly checkpointing?: boolean
}

const keepAll: Recomputation = { reach: () => {}, read: (t) => t }

/** The gradients of the scalar `loss`: one expression of the same shape for each of `wrt`, zeros where it has no part. */
export const grad = (
  loss: Tensor,
  wrt: ReadonlyArray<Tensor>,
  { checkpointing = false }: GradOptions = {}
): ReadonlyArray<Tensor> => {
  if (Nd.size(loss.type.shape) !== 1) throw new ShapeError("grad", [loss.type], "the loss is not a scalar")
  const order = topological([loss])
  const live = dependents(order, wrt)
  const again = checkpointing ? recomputation(order) : keepAll
  const ends = new Set(wrt)
  /** Of `wrt` and of what is saved: those whose cotangents have grown since the last saved expression. */
  const grown = new Set<Tensor>()
  const one = constant(Nd.make(loss.type.shape, () => 1))
  const cotangent = new Map<Tensor, Tensor>([[loss, one]])
  for (const t of order.toReversed()) {
    const ct = cotangent.get(t)
    if (ct === undefined || t._tag !== "Apply" || !live.has(t)) continue
    if (isSaved(t)) {
      again.reach(t, [...grown.add(t)].map((end) => cotangent.get(end)!))
      grown.clear()
    }
    t.op.vjp(ct, t.inputs.map(again.read), again.read(t), t.attrs).forEach((part, i) => {
      const operand = t.inputs[i]!
      if (part === null || !live.has(operand)) return
      const sum = cotangent.get(operand)
      const fitted = unbroadcast(part, operand.type.shape)
      cotangent.set(operand, sum === undefined ? fitted : add(sum, fitted))
      if (ends.has(operand) || isSaved(operand)) grown.add(operand)
    })
  }
  return wrt.map((t) => cotangent.get(t) ?? expand(constant(Nd.scalar(0)), t.type.shape))
}
