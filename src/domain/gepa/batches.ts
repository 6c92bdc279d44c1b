/** Minibatches of training examples: each epoch in an order of its own, the last batch filled with the least used. */
import * as Key from "../Key.ts"

/** An epoch's examples in order, a multiple of `size`; `used` counts them. */
const epochOf = (key: Key.Key, epoch: number, count: number, size: number, used: Int32Array): Int32Array => {
  const order = Key.permutation(Key.fold(key, epoch), count)
  const all = new Int32Array(Math.ceil(count / size) * size)
  all.set(order)
  for (const example of order) used[example]!++
  for (let i = count; i < all.length; i++) {
    const next = order.reduce((best, own) => used[own]! < used[best]! ? own : best)
    used[next]!++
    all[i] = next
  }
  return all
}

/** The minibatches of `count` examples (at least 1), one a call. */
export const minibatches = (key: Key.Key, count: number, size: number): () => ReadonlyArray<number> => {
  const used = new Int32Array(count)
  let [epoch, at, order] = [0, 0, new Int32Array(0) as Int32Array]
  return () => {
    if (at === order.length) [order, at] = [epochOf(key, epoch++, count, size, used), 0]
    at += size
    return [...order.subarray(at - size, at)]
  }
}
