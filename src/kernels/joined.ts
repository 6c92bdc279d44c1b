/** Several tensors as one: fewer and larger operations, which devices run in less time. */
import * as Nd from "./NdArray.ts"
import { reshape } from "./op/broadcast.ts"
import { concat, slice } from "./op/gather.ts"
import type { Tensor } from "./Tensor.ts"

/** The elements of several tensors one after the other; a single one as it is. */
export const joined = (tensors: ReadonlyArray<Tensor>): Tensor =>
  tensors.length === 1 ? tensors[0]! : concat(tensors.map((t) => reshape(t, [Nd.size(t.type.shape)])), 0)

/** The inverse of `joined`: the parts of a tensor, with the shapes of others. */
export const parted = (all: Tensor, like: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  if (like.length === 1) return [all]
  let at = 0
  return like.map(({ type: { shape } }) => reshape(slice(all, 0, at, at += Nd.size(shape)), shape))
}

/** Consecutive items in groups of up to `most` elements in all, unless one item has more. */
export const grouped = <A>(
  items: Iterable<A>,
  elements: (item: A) => number,
  most: number
): ReadonlyArray<ReadonlyArray<A>> => {
  const groups: Array<Array<A>> = []
  let room = 0
  for (const item of items) {
    const size = elements(item)
    if (size > room || groups.length === 0) {
      groups.push([])
      room = most
    }
    groups.at(-1)!.push(item)
    room -= size
  }
  return groups
}
