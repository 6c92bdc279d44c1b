/** Late widening of half-precision weights: for each reader separately, just before it reads. */
import { Gather, gather } from "../op/gather.ts"
import { after } from "../op/scheduling.ts"
import { Widen } from "../op/widen.ts"
import { type Apply, apply, type Tensor, topological } from "../Tensor.ts"

const isWidened = (t: Tensor): t is Apply => t._tag === "Apply" && t.op === Widen

/** Rows of a half-precision embedding are looked up before widening; other weights wait for the operand they meet. */
const read = (t: Apply, inputs: ReadonlyArray<Tensor>, waits: boolean): Tensor => {
  const [table, at] = t.inputs
  if (t.op === Gather && isWidened(table!)) return apply(Widen, [gather(table.inputs[0]!, at!)], table.attrs)
  if (!waits) return apply(t.op, inputs, t.attrs)
  const other = inputs.find((x, i) => x._tag === "Apply" && !isWidened(t.inputs[i]!))
  const met = t.inputs.map((x, i) =>
    other && isWidened(x) && x.type.shape.length > 1
      ? apply(Widen, [after(x.inputs[0]!, [other])], x.attrs)
      : inputs[i]!
  )
  return apply(t.op, met, t.attrs)
}

/**
 * Expressions of equal value that widen late. Widened once, a weight would be held in float32 from its first reader in
 * the forward pass to its last in the backward pass, and all weights would be before the first product. `waits` tells
 * whether weights other than embeddings wait: not needed where products take half precision as it is, or where there is
 * memory for both.
 */
export const late = (outputs: ReadonlyArray<Tensor>, waits = true): ReadonlyArray<Tensor> => {
  const made = new Map<Tensor, Tensor>()
  for (const t of topological(outputs)) {
    const inputs = t._tag === "Apply" ? t.inputs.map((x) => made.get(x)!) : []
    const same = t._tag !== "Apply" || (inputs.every((x, i) => x === t.inputs[i]) && !t.inputs.some(isWidened))
    made.set(t, same ? t : read(t, inputs, waits))
  }
  return outputs.map((t) => made.get(t)!)
}
