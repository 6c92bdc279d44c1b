/**
 * Integers by the 64-bit hash of a text, in typed arrays: 12 bytes a slot, of which between a third and two thirds are taken.
 * Two of ten million texts have the same hash once in 400,000 times.
 */

/** Hashes of a text: FNV-1a, mixed as MurmurHash3 ends, from two seeds. */
const hash = (text: string, seed: number): number => {
  let h = seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b)
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35)
  return (h ^ h >>> 16) >>> 0
}
const [FIRST, SECOND] = [0x811c9dc5, 0x9747b28c]

/** Integers of at least 0 by text. */
export interface HashTable {
  /** -1 if there is none. */
  readonly get: (text: string) => number
  readonly set: (text: string, value: number) => void
  readonly size: () => number
  /** Memory of the arrays. */
  readonly bytes: () => number
}

interface Slots {
  readonly low: Uint32Array
  readonly high: Uint32Array
  /** The value and 1; 0 where a slot is free. */
  readonly values: Uint32Array
}

const slots = (count: number): Slots => ({
  low: new Uint32Array(count),
  high: new Uint32Array(count),
  values: new Uint32Array(count)
})

/** The slot of a hash: its own, or the first that is free. */
const slotOf = ({ high, low, values }: Slots, a: number, b: number): number => {
  const mask = values.length - 1
  let at = a & mask
  while (values[at] !== 0 && (low[at] !== a || high[at] !== b)) at = at + 1 & mask
  return at
}

/** An empty table, which grows. */
export const hashTable = (): HashTable => {
  let [all, size] = [slots(1024), 0]
  const put = (into: Slots, a: number, b: number, value: number) => {
    const at = slotOf(into, a, b)
    into.low[at] = a
    into.high[at] = b
    into.values[at] = value
  }
  const grow = () => {
    const { high, low, values } = all
    const larger = slots(values.length * 2)
    values.forEach((value, at) => value !== 0 && put(larger, low[at]!, high[at]!, value))
    all = larger
  }
  return {
    get: (text) => all.values[slotOf(all, hash(text, FIRST), hash(text, SECOND))]! - 1,
    set: (text, value) => {
      const [a, b] = [hash(text, FIRST), hash(text, SECOND)]
      if (all.values[slotOf(all, a, b)] === 0 && 3 * ++size > 2 * all.values.length) grow()
      put(all, a, b, value + 1)
    },
    size: () => size,
    bytes: () => all.values.length * 12
  }
}
