/**
 * Near-duplicates in a stream of texts: candidates by bands of MinHash signatures (Broder 1997; Leskovec et al., Mining of
 * Massive Datasets, section 3.4), then Jaccard's index of the candidates' shingles.
 */
import { hashesOf, jaccardOf, leastUnder } from "./minHash.ts"

/** Hashes of a signature. */
const HASHES = 128
/** Greatest probability that a pair at the threshold shares no band, where some number of rows allows it. */
const MISS = 1e-6

/** Rows of a band: as many as still find a pair of this Jaccard index, unless one in a million is missed. */
export const rowsFor = (index: number): number =>
  [8, 4, 2].find((rows) => (1 - index ** rows) ** (HASHES / rows) <= MISS) ?? 1

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
    const own = hashesOf(text, this.width)
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
    const signature = Array.from({ length: HASHES }, (_, i) => leastUnder(own, i))
    return Array.from(
      { length: HASHES / this.rows },
      (_, band) => `${band}/${signature.slice(band * this.rows, (band + 1) * this.rows).join("/")}`
    )
  }
}
