/**
 * Near-duplicates in a stream of texts: candidates by bands of MinHash signatures (Broder 1997; Leskovec et al., Mining of
 * Massive Datasets, section 3.4), then Jaccard's index of the candidates' shingles.
 */
import { shingles, wordsOf } from "./overlap.ts"

/** Hashes of a signature. */
const HASHES = 128
/** Greatest probability that a pair at the threshold shares no band, where some number of rows allows it. */
const MISS = 1e-6

/** A well-mixed 32-bit number (the finaliser of MurmurHash3). */
const mixed = (value: number): number => {
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

const seeds = Uint32Array.from({ length: HASHES }, (_, i) => mixed(i + 1))

const least = (hashes: Uint32Array, seed: number): number => {
  let found = 0xffffffff
  for (const hash of hashes) found = Math.min(found, mixed(hash ^ seed))
  return found
}

/** Rows of a band: as many as still find a pair of this Jaccard index, unless one in a million is missed. */
export const rowsFor = (index: number): number =>
  [8, 4, 2].find((rows) => (1 - index ** rows) ** (HASHES / rows) <= MISS) ?? 1

/** Jaccard's index of two rising lists without repetitions. */
const jaccardOf = (a: Uint32Array, b: Uint32Array): number => {
  let [both, i, j] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i]!, b[j]!]
    if (x === y) both++
    if (x <= y) i++
    if (y <= x) j++
  }
  return both === 0 ? 0 : both / (a.length + b.length - both)
}

/**
 * The texts so far. Two are near-duplicates if the Jaccard index of their runs of `width` words is above `most`; runs are
 * compared by hashes of 32 bits. Texts without words are like nothing.
 */
export class Duplicates {
  private readonly most: number
  private readonly width: number
  private readonly rows: number
  private readonly texts: Array<Uint32Array> = []
  private readonly bands = new Map<string, Array<number>>()
  constructor(most: number, width: number) {
    this.most = most
    this.width = width
    this.rows = rowsFor(most)
  }

  /** Whether a text is a near-duplicate of an earlier one; if not, it joins them. */
  seen(text: string): boolean {
    const own = Uint32Array.from(new Set(Array.from(shingles(wordsOf(text), this.width), hashOf))).toSorted()
    if (own.length === 0) return false
    const keys = this.keysOf(own)
    const candidates = new Set(keys.flatMap((key) => this.bands.get(key) ?? []))
    if ([...candidates].some((at) => jaccardOf(own, this.texts[at]!) > this.most)) return true
    const at = this.texts.push(own) - 1
    for (const key of keys) {
      const others = this.bands.get(key)
      if (others) others.push(at)
      else this.bands.set(key, [at])
    }
    return false
  }

  /** A name for each band's values. */
  private keysOf(own: Uint32Array): ReadonlyArray<string> {
    const signature = Array.from(seeds, (seed) => least(own, seed))
    return Array.from(
      { length: HASHES / this.rows },
      (_, band) => `${band}/${signature.slice(band * this.rows, (band + 1) * this.rows).join("/")}`
    )
  }
}
