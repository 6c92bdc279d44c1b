/** Late interaction (Khattab & Zaharia 2020): S(q, d) = Σ_j max_i <q_j, d_i>. */
import { reshape, sum } from "../op/broadcast.ts"
import { matmul, transpose } from "../op/contract.ts"
import { reduceMax, where } from "../op/select.ts"
import { scalar, type Tensor } from "../Tensor.ts"

/** The similarity of a document row that does not count, as in ColBERT's code. */
const ABSENT = -9999

/** Scores of each question with its own documents: queries [b, q, d], docs [b, m, l, d], bool mask [b, m, l] -> [b, m]. */
export const maxSim = (queries: Tensor, docs: Tensor, mask: Tensor): Tensor => {
  const [b, m, l, d] = docs.type.shape as readonly [number, number, number, number]
  const q = queries.type.shape[1]!
  const similarity = reshape(matmul(reshape(docs, [b, m * l, d]), queries, false, true), [b, m, l, q])
  return sum(reduceMax(where(reshape(mask, [b, m, l, 1]), similarity, scalar(ABSENT)), 2), [-1])
}

/** Scores of every question with every document: queries [b, q, d], docs [n, l, d], bool mask [n, l] -> [b, n]. */
export const maxSimAll = (queries: Tensor, docs: Tensor, mask: Tensor): Tensor => {
  const [b, q, d] = queries.type.shape as readonly [number, number, number]
  const [n, l] = mask.type.shape as readonly [number, number]
  const rows = matmul(reshape(docs, [n * l, d]), reshape(queries, [b * q, d]), false, true)
  const best = reduceMax(where(reshape(mask, [n, l, 1]), reshape(rows, [n, l, b * q]), scalar(ABSENT)), 1)
  return transpose(sum(reshape(best, [n, b, q]), [-1]), [1, 0])
}
