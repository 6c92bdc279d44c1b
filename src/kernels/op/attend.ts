/** Scaled dot-product attention, with the gradient of Rabe & Staats 2021 and FlashAttention. */
import { apply, type Op, real, type Tensor } from "../Tensor.ts"
import { reshape, sum } from "./broadcast.ts"
import { composite } from "./composite.ts"
import { matmul } from "./contract.ts"
import { add, mul, sub } from "./elementwise.ts"
import { concat, pad, slice } from "./gather.ts"
import { softmax } from "./normalise.ts"

type Shape4 = readonly [number, number, number, number]

/** Stacks the query heads that share a KV head: [b, h, n, d] -> [b, g, h/g·n, d]. */
const fold = (x: Tensor, groups: number): Tensor => {
  const [b, h, n, d] = x.type.shape as Shape4
  return reshape(x, [b, groups, h / groups * n, d])
}

/** q kᵀ/√d + bias: [b, h, n, s], without repeating keys for grouped heads. */
const scores = (q: Tensor, k: Tensor, bias: Tensor): Tensor => {
  const [b, h, n, d] = q.type.shape as Shape4
  const [, groups, s] = k.type.shape as Shape4
  return add(reshape(matmul(fold(q, groups), k, false, true, 1 / Math.sqrt(d)), [b, h, n, s]), bias)
}

const weights = (q: Tensor, k: Tensor, bias: Tensor): Tensor => softmax(scores(q, k, bias))

/**
 * Attention: q [b, h, n, d], k and v [b, g, s, d] with g dividing h, bias broadcast to [b, h, n, s].
 *
 * dS = P ∘ (dP - Σ dO ∘ O): the row sums are taken over the head size, not over the s keys.
 */
export const Attend: Op<{}> = composite(
  "Attend",
  ([q, k, v, bias]) => {
    const groups = k!.type.shape[1]!
    return reshape(matmul(fold(weights(q!, k!, bias!), groups), v!), q!.type.shape)
  },
  (ct, [q, k, v, bias], output) => {
    const groups = k!.type.shape[1]!
    const scale = 1 / Math.sqrt(q!.type.shape[3]!)
    const p = weights(q!, k!, bias!)
    const out = fold(ct, groups)
    const dp = reshape(matmul(out, v!, false, true), p.type.shape)
    const dscores = mul(p, sub(dp, sum(mul(ct, output), [-1], true)))
    const ds = fold(dscores, groups)
    return [
      reshape(matmul(ds, k!, false, false, scale), q!.type.shape),
      matmul(ds, fold(q!, groups), true, false, scale),
      matmul(fold(p, groups), out, true),
      dscores
    ]
  },
  {
    ranges: [real(-2, 2), real(-2, 2), real(-2, 2), real(-1, 1)],
    cases: [
      { shapes: [[2, 2, 3, 2], [2, 2, 3, 2], [2, 2, 3, 2], [2, 1, 1, 3]], attrs: {} },
      { shapes: [[1, 4, 2, 2], [1, 2, 3, 2], [1, 2, 3, 2], [2, 3]], attrs: {} }
    ]
  }
)
/** softmax(q kᵀ/√d + bias) v: q [b, h, n, d], k, v [b, g, s, d], g dividing h, bias broadcast to [b, h, n, s]. */
export const attend = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor): Tensor => apply(Attend, [q, k, v, bias], {})

interface Blocks {
  /** Queries per block. */
  readonly length: number
}

/** Start and end of each block of queries. */
const spans = (n: number, length: number): ReadonlyArray<readonly [number, number]> =>
  Array.from({ length: Math.ceil(n / length) }, (_, i) => [i * length, Math.min(n, (i + 1) * length)])

/** The sum along axis 2 of parts that all start at 0, each ending where its span ends: span by span, without padding. */
const prefixSum = (parts: ReadonlyArray<Tensor>, spans: ReadonlyArray<readonly [number, number]>): Tensor =>
  concat(spans.map(([start, end], i) => parts.slice(i).map((part) => slice(part, 2, start, end)).reduce(add)), 2)

/** The operands of one block: its queries, and the keys up to its last query. */
const block = ([q, k, v, bias]: ReadonlyArray<Tensor>, [start, end]: readonly [number, number]) => [
  slice(q!, 2, start, end),
  slice(k!, 2, 0, end),
  slice(v!, 2, 0, end),
  slice(slice(bias!, 2, start, end), 3, 0, end)
]

/**
 * Causal `Attend` in blocks of queries, each over the keys that it may see: q, k and v have n positions each, and the
 * bias, [b or 1, h or 1, n, n], masks the keys after a query.
 */
export const AttendCausal: Op<Blocks> = composite(
  "AttendCausal",
  (inputs, { length }) =>
    concat(spans(inputs[0]!.type.shape[2]!, length).map((span) => apply(Attend, block(inputs, span), {})), 2),
  (ct, inputs, output, { length }) => {
    const n = inputs[0]!.type.shape[2]!
    const blocks = spans(n, length)
    const parts = blocks.map(([start, end]) => {
      const own = (t: Tensor) => slice(t, 2, start, end)
      const [dq, dk, dv, dbias] = Attend.vjp(own(ct), block(inputs, [start, end]), own(output), {})
      return { dq: dq!, dk: dk!, dv: dv!, dbias: pad(dbias!, 3, 0, n - end) }
    })
    return [
      concat(parts.map((part) => part.dq), 2),
      prefixSum(parts.map((part) => part.dk), blocks),
      prefixSum(parts.map((part) => part.dv), blocks),
      concat(parts.map((part) => part.dbias), 2)
    ]
  },
  {
    ranges: [real(-2, 2), real(-2, 2), real(-2, 2), real(-1, 1)],
    cases: [
      { shapes: [[1, 2, 5, 2], [1, 2, 5, 2], [1, 2, 5, 2], [1, 1, 5, 5]], attrs: { length: 2 } },
      { shapes: [[2, 2, 3, 2], [2, 1, 3, 2], [2, 1, 3, 2], [2, 2, 3, 3]], attrs: { length: 3 } }
    ]
  }
)

/** Queries per block: a quarter of them, which saves three eighths of the work, but at least 80, for fast products. */
const blockLength = (n: number): number => Math.max(80, Math.ceil(n / 4))

/** `attend` with a causal bias, which must mask keys after each query (s = n); in blocks of queries if n is large. */
export const attendCausal = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor): Tensor => {
  const n = q.type.shape[2]!
  const length = blockLength(n)
  return length < n ? apply(AttendCausal, [q, k, v, bias], { length }) : attend(q, k, v, bias)
}

/** Keys and values [b, g, s, d], and the bias of their scores, broadcast to [b, h, n, s]. */
export interface KeyBlock {
  readonly k: Tensor
  readonly v: Tensor
  readonly bias: Tensor
}

/** Attention of q [b, h, n, d] over several blocks of keys as if they were one, without copying them together. */
export const attendBlocks = (q: Tensor, blocks: ReadonlyArray<KeyBlock>): Tensor => {
  const groups = blocks[0]!.k.type.shape[1]!
  const shares = softmax(concat(blocks.map(({ bias, k }) => scores(q, k, bias)), 3))
  let end = 0
  const parts = blocks.map(({ k, v }) => matmul(fold(slice(shares, 3, end, end += k.type.shape[2]!), groups), v))
  return reshape(parts.reduce(add), q.type.shape)
}
