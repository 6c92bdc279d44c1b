/** Late interaction (Khattab & Zaharia 2020): S(q, d) = Σ_j max_i <q_j, d_i>. */
import { reshape, sum } from "../op/broadcast.ts"
import { matmul, transpose } from "../op/contract.ts"
import { add } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { penalise, reduceMax } from "../op/select.ts"
import type { Tensor } from "../Tensor.ts"

/** Added to the similarity of a masked document token, so that no unmasked one ranks below it; as in ColBERT's code. */
const ABSENT = -9999

/**
 * Scores of every query with every document: queries [b, q, d], docs [n, l, d] -> [b, n]. `mask`, bool [n, l], selects
 * the document tokens that count, at least one per document; by default all count.
 */
export const maxSim = (queries: Tensor, docs: Tensor, mask?: Tensor): Tensor => {
  const [b, q, d] = queries.type.shape as readonly [number, number, number]
  const [n, l] = docs.type.shape as readonly [number, number, number]
  const flat = matmul(reshape(docs, [n * l, d]), reshape(queries, [b * q, d]), false, true)
  const similarity = reshape(flat, [n, l, b * q])
  const counted = mask ? add(similarity, penalise(reshape(mask, [n, l, 1]), ABSENT)) : similarity
  return transpose(sum(reshape(reduceMax(counted, 1), [n, b, q]), [-1]), [1, 0])
}

/** The same for k documents per query: `places`, int32 [b, k], are indices into the n documents -> [b, k]. */
export const maxSimOwn = (queries: Tensor, docs: Tensor, places: Tensor, mask?: Tensor): Tensor => {
  const [b, q, d] = queries.type.shape as readonly [number, number, number]
  const [n, l] = docs.type.shape as readonly [number, number, number]
  const k = places.type.shape[1]!
  const own = reshape(gather(reshape(docs, [n, l * d]), places), [b, k * l, d])
  const dots = matmul(own, queries, false, true)
  const similarity = mask ? add(dots, reshape(gather(penalise(mask, ABSENT), places), [b, k * l, 1])) : dots
  return sum(reduceMax(reshape(similarity, [b, k, l, q]), 2), [-1])
}
