/** Late interaction (Khattab & Zaharia 2020): S(q, d) = Σ_j max_i <q_j, d_i>. */
import { reshape, sum } from "../op/broadcast.ts"
import { matmul, transpose } from "../op/contract.ts"
import { add } from "../op/elementwise.ts"
import { gather } from "../op/gather.ts"
import { penalise, reduceMax } from "../op/select.ts"
import type { Tensor } from "../Tensor.ts"

/** Takes the similarity of a document row that does not count below any that does, as in ColBERT's code. */
const ABSENT = -9999

/**
 * Scores of every question with every document: queries [b, q, d], docs [n, l, d] -> [b, n]. Without a mask
 * (bool [n, l], one row of each document at least) every row of a document counts.
 */
export const maxSim = (queries: Tensor, docs: Tensor, mask?: Tensor): Tensor => {
  const [b, q, d] = queries.type.shape as readonly [number, number, number]
  const [n, l] = docs.type.shape as readonly [number, number, number]
  const flat = matmul(reshape(docs, [n * l, d]), reshape(queries, [b * q, d]), false, true)
  const similarity = reshape(flat, [n, l, b * q])
  const counted = mask ? add(similarity, penalise(reshape(mask, [n, l, 1]), ABSENT)) : similarity
  return transpose(sum(reshape(reduceMax(counted, 1), [n, b, q]), [-1]), [1, 0])
}

/** The same for k documents of each question's own: places int32 [b, k] among the n documents -> [b, k]. */
export const maxSimOwn = (queries: Tensor, docs: Tensor, places: Tensor, mask: Tensor): Tensor => {
  const [b, q, d] = queries.type.shape as readonly [number, number, number]
  const [n, l] = docs.type.shape as readonly [number, number, number]
  const k = places.type.shape[1]!
  const own = reshape(gather(reshape(docs, [n, l * d]), places), [b, k * l, d])
  const penalty = reshape(gather(penalise(mask, ABSENT), places), [b, k * l, 1])
  const similarity = add(matmul(own, queries, false, true), penalty)
  return sum(reduceMax(reshape(similarity, [b, k, l, q]), 2), [-1])
}
