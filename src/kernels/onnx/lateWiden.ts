/** Graphs whose 16-bit weights are widened late: for each reader anew, when it is about to read. */
import { Gather, gather } from "../op/gather.ts"
import { after } from "../op/scheduling.ts"
import { Widen } from "../op/widen.ts"
import { type Apply, apply, type Tensor, topological } from "../Tensor.ts"

const isWidened = (t: Tensor): t is Apply => t._tag === "Apply" && t.op === Widen

/** Rows of a stored table are looked up first; other weights wait for what they are to meet. */
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
 * Expressions of the same values. Widened once, a weight would be there in 32 bits from its first reader in the forward
 * pass to its last in the backward pass; all of them would, before the first product. `waits` tells whether others than
 * tables wait: they need not where products take 16 bits as they are, or where there is memory for both.
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
