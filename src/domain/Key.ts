/**
 * Counter-based randomness: a random number is a pure function of a key and a counter.
 *
 * Every random choice of a run is made under a key folded from what the choice is about (run, step, question), so that
 * it is the same whatever the batch, the order or the number of earlier draws. The generator is Threefry-2x32 with 20
 * rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 */

/** Two unsigned 32-bit words. */
export interface Key {
  readonly hi: number
  readonly lo: number
}

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const

/** The Threefry-2x32-20 block: the two random words at counter (`c0`, `c1`). */
export const block = (key: Key, c0: number, c1: number): Key => {
  const ks = [key.hi, key.lo, key.hi ^ key.lo ^ 0x1bd11bda]
  let x0 = (c0 + key.hi) | 0
  let x1 = (c1 + key.lo) | 0
  for (let round = 0; round < 20; round++) {
    const r = rotations[round % 8]!
    x0 = (x0 + x1) | 0
    x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0
    if (round % 4 === 3) {
      const inject = (round + 1) / 4
      x0 = (x0 + ks[inject % 3]!) | 0
      x1 = (x1 + ks[(inject + 1) % 3]! + inject) | 0
    }
  }
  return { hi: x0 >>> 0, lo: x1 >>> 0 }
}

/** FNV-1a of the UTF-16 code units, as the two words of a counter. */
const words = (text: string): Key => {
  let [a, b] = [0x811c9dc5, 0x9dc5811c]
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193)
    b = Math.imul(b ^ text.charCodeAt(i), 0x01000193) ^ (a >>> 15)
  }
  return { hi: a >>> 0, lo: b >>> 0 }
}

/** The key of a seed. */
export const make = (seed: number): Key => ({ hi: Math.floor(seed / 2 ** 32) >>> 0, lo: seed >>> 0 })

/** Derives a key from `key` and `data`, folded in from left to right. */
export const fold = (key: Key, ...data: ReadonlyArray<number | string>): Key =>
  data.reduce<Key>((k, d) => {
    const counter = typeof d === "string" ? words(d) : { hi: Math.floor(d / 2 ** 32) >>> 0, lo: d >>> 0 }
    return block(k, counter.hi, counter.lo)
  }, key)

/** The `i`-th number of `key`, uniform on [0, 1) with 53 random bits. */
export const uniform = (key: Key, i: number): number => {
  const { hi, lo } = block(key, 0, i)
  return ((hi >>> 5) * 2 ** 26 + (lo >>> 6)) / 2 ** 53
}

/** The `i`-th integer of `key`, uniform on [0, n) up to 2^-53. */
export const integer = (key: Key, i: number, n: number): number => Math.floor(uniform(key, i) * n)

/** The `i`-th standard normal of `key` (Box-Muller). */
export const normal = (key: Key, i: number): number => {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(key, 2 * i)))
  return radius * Math.cos(2 * Math.PI * uniform(key, 2 * i + 1))
}

/** The `i`-th standard Gumbel of `key`. */
export const gumbel = (key: Key, i: number): number => -Math.log(-Math.log(Math.max(uniform(key, i), 2 ** -54)))

/** A uniform permutation of 0..n-1 (Fisher-Yates). */
export const permutation = (key: Key, n: number): Int32Array => {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = integer(key, i, i + 1)
    const swap = order[i]!
    order[i] = order[j]!
    order[j] = swap
  }
  return order
}
