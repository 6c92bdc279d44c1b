/** Reverse-mode differentiation: a pure function from expressions to expressions. */
import * as Nd from "./NdArray.ts"
import { expand, unbroadcast } from "./op/broadcast.ts"
import { add } from "./op/elementwise.ts"
import { isSaved, type Recomputation, recomputation } from "./recompute.ts"
import { constant, ShapeError, type Tensor, topological } from "./Tensor.ts"

/** The expressions that depend on `wrt` through float32 values only. */
const dependents = (order: ReadonlyArray<Tensor>, wrt: ReadonlyArray<Tensor>): ReadonlySet<Tensor> => {
  const found = new Set<Tensor>(wrt)
  for (const t of order) {
    if (t._tag === "Apply" && t.type.dtype === "float32" && t.inputs.some((x) => found.has(x))) found.add(t)
  }
  return found
}

/** How the backward pass runs. */
export interface GradOptions {
  /**
   * Keep only `saved` expressions from the forward pass, and recompute what lies between, group by group, as the
   * backward pass reaches it: a group waits for the gradients that the group before it yields.
   */
  readonly checkpointing?: boolean
}

const keepAll: Recomputation = { reach: () => {}, read: (t) => t }

/**
 * Gradients of the scalar `loss`: one expression per tensor of `wrt`, of its shape; zeros if the loss does not depend
 * on it. Throws `ShapeError` if `loss` is not a scalar.
 */
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
  /** Tensors of `wrt` and saved expressions whose cotangents grew since the last saved expression. */
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
