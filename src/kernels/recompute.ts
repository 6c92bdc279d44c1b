/** Gradient checkpointing (Chen et al. 2016): what the backward pass recomputes instead of keeping, and when. */
import { after, Saved } from "./op/scheduling.ts"
import { type Apply, apply, type Tensor } from "./Tensor.ts"

/** Whether checkpointing keeps the expression for the backward pass. */
export const isSaved = (t: Tensor): boolean => t._tag === "Apply" && t.op === Saved

/** The expressions between saved ones, grouped by the saved one they lead to, each group in the given order. */
const groups = (order: ReadonlyArray<Tensor>): ReadonlyMap<Tensor, ReadonlyArray<Apply>> => {
  const owner = new Map<Tensor, Tensor>()
  for (const t of order.toReversed()) {
    const own = isSaved(t) ? t : owner.get(t)
    if (own === undefined || t._tag !== "Apply") continue
    for (const x of t.inputs) if (!isSaved(x) && !owner.has(x)) owner.set(x, own)
  }
  const dependent = new Set<Tensor>()
  const between = order.filter((t): t is Apply => {
    if (t._tag !== "Apply" || !t.inputs.some((x) => isSaved(x) || dependent.has(x))) return false
    dependent.add(t)
    return owner.has(t) && !isSaved(t)
  })
  return Map.groupBy(between, (t) => owner.get(t)!)
}

/** What a backward pass with checkpointing reads. */
export interface Recomputation {
  /** From now on, what lies between other saved expressions and `saved` is read from copies that wait for `others`. */
  readonly reach: (saved: Tensor, others: ReadonlyArray<Tensor>) => void
  /** What the backward pass reads in place of `t`. */
  readonly read: (t: Tensor) => Tensor
}

/** The recomputation of a graph's expressions, listed operands first. */
export const recomputation = (order: ReadonlyArray<Tensor>): Recomputation => {
  const group = groups(order)
  const copies = new Map<Tensor, Tensor>()
  const read = (t: Tensor): Tensor => copies.get(t) ?? t
  return {
    read,
    reach: (saved, others) => {
      const own = group.get(saved) ?? []
      for (const x of new Set(own.flatMap((t) => t.inputs.filter(isSaved)))) copies.set(x, after(x, others))
      for (const t of own) copies.set(t, apply(t.op, t.inputs.map(read), t.attrs))
    }
  }
}
