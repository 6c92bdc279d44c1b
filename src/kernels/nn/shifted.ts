/** Shifted sparse attention (S2-Attn of LongLoRA, Chen et al. 2024, §3.2), for training on long sequences. */
import { expand, reshape } from "../op/broadcast.ts"
import { concat, slice } from "../op/gather.ts"
import { ShapeError, type Tensor } from "../Tensor.ts"
import type { Mix } from "./attention.ts"

/** Groups per sequence. */
const GROUPS = 4

type Span = readonly [start: number, end: number]

/** The spans of n positions when cut at `first`, `first + size`, ... */
const spans = (n: number, size: number, first: number): ReadonlyArray<Span> => {
  const ends = Array.from({ length: Math.ceil((n - first) / size) + 1 }, (_, i) => Math.min(n, first + i * size))
  return ends.map((end, i) => [i === 0 ? 0 : ends[i - 1]!, end])
}

/** Duplicates an odd number of KV heads, so that both halves of the query heads have as many: [b, g, n, d]. */
const even = (x: Tensor): Tensor => {
  const [b, g, n, d] = x.type.shape as readonly [number, number, number, number]
  return g % 2 === 0 ? x : reshape(expand(reshape(x, [b, g, 1, n, d]), [b, g, 2, n, d]), [b, 2 * g, n, d])
}

const half = (x: Tensor, which: number): Tensor => {
  const heads = x.type.shape[1]! / 2
  return slice(x, 1, which * heads, (which + 1) * heads)
}

/**
 * Attention within groups, each a quarter of the sequence. For the second half of the heads the groups are shifted by
 * half a group, and the half groups left at both ends stay separate, as in LongLoRA's flash version. Positions and
 * heads are those of the whole sequence: RoPE is applied before the split. `within` is attention in one group.
 *
 * Time and memory are O(sequence × group). Throws `ShapeError` unless the length is a multiple of 8 and the number of
 * heads even.
 */
export const shiftedSparse = (
  branches: Tensor,
  positions: Tensor,
  within: (branches: Tensor, positions: Tensor) => Mix
): Mix => {
  const n = branches.type.shape[1]!
  const size = n / GROUPS
  const cut = (first: number) =>
    spans(n, size, first).map((span) => ({
      span,
      mix: within(slice(branches, 1, ...span), slice(positions, 1, ...span))
    }))
  const groups = [cut(size), cut(size / 2)]
  return (q, k, v, layer) => {
    if (n % (2 * GROUPS) !== 0 || q.type.shape[1]! % 2 !== 0) {
      throw new ShapeError(
        "shiftedSparse",
        [q.type],
        `its length is no multiple of ${2 * GROUPS}, or its heads are odd`
      )
    }
    const [keys, values] = [even(k), even(v)]
    const heads = groups.map((own, which) =>
      concat(
        own.map(({ mix, span }) => {
          const [queries, ...rest] = [q, keys, values].map((t) => slice(half(t, which), 2, ...span))
          return mix(queries!, rest[0]!, rest[1]!, layer)
        }),
        2
      )
    )
    return concat(heads, 1)
  }
}
