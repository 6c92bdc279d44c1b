/** MinHash (Broder 1997): texts as sets of hashed runs of words, and the least of them under many permutations. */
import { shingles, wordsOf } from "./overlap.ts"

/** A well-mixed 32-bit number (the finaliser of MurmurHash3). */
export const mixed = (value: number): number => {
  let x = value ^ (value >>> 16)
  x = Math.imul(x, 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** FNV-1a of the UTF-16 code units, mixed. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mixed(hash)
}

/** Hashes of 32 bits of a text's runs of so many words, rising, each once; none without words. */
export const hashesOf = (text: string, width: number): Uint32Array => {
  const all = Uint32Array.from(shingles(wordsOf(text), width), hashOf).sort()
  return all.filter((hash, i) => i === 0 || hash !== all[i - 1])
}

/** The least of a text's hashes under the `i`-th permutation. */
export const leastUnder = (hashes: Uint32Array, i: number): number => {
  const seed = mixed(i + 1)
  let least = 0xffffffff
  for (const hash of hashes) {
    const permuted = mixed(hash ^ seed)
    if (permuted < least) least = permuted
  }
  return least
}

/** Jaccard's index of two lists of hashes, rising, each once; 0 of two empty ones. */
export const jaccardOf = (a: Uint32Array, b: Uint32Array): number => {
  let [both, i, j] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i]!, b[j]!]
    if (x === y) both++
    if (x <= y) i++
    if (y <= x) j++
  }
  return both === 0 ? 0 : both / (a.length + b.length - both)
}
