/** Pictures of a test that the corpus or training has too: the same pixels, or almost the same. */
import type { Leak } from "../records/leaks.ts"
import type { Fingerprint } from "./likeness.ts"

/** Most bits in which fingerprints of pictures that are almost the same differ. */
export const ALIKE = 3

/** A picture of a record. */
export interface Shown {
  /** Id of the record. */
  readonly id: string
  /** Hash of its pixels. */
  readonly hash: string
  readonly fingerprint: Fingerprint
}

/** Questions whose pictures are elsewhere; one that is there itself does not count as almost the same. */
export interface PictureLeaks {
  readonly same: Leak
  readonly alike: Leak
}

/** Examples that are kept. */
const SHOWN = 3

const leakOf = (found: ReadonlyArray<Leak["examples"][number]>): Leak => ({
  questions: found.length,
  examples: found.slice(0, SHOWN)
})

/** Bits that are set in 32. */
const count = (bits: number): number => {
  const pairs = bits - (bits >>> 1 & 0x55555555)
  const fours = (pairs & 0x33333333) + (pairs >>> 2 & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

const halves = (all: ReadonlyArray<Shown>) => ({
  high: Uint32Array.from(all, ({ fingerprint }) => Number(fingerprint >> 32n)),
  low: Uint32Array.from(all, ({ fingerprint }) => Number(fingerprint & 0xffffffffn))
})

/** The pictures of a test that are among others, and those that are almost; the first of the others is told. */
export const pictureLeaks = (test: ReadonlyArray<Shown>, others: ReadonlyArray<Shown>): PictureLeaks => {
  const byHash = new Map<string, string>()
  for (const { hash, id } of others) if (!byHash.has(hash)) byHash.set(hash, id)
  const [theirs, own] = [halves(others), halves(test)]
  const [same, alike] = [new Array<Leak["examples"][number]>(), new Array<Leak["examples"][number]>()]
  test.forEach(({ hash, id }, t) => {
    const where = byHash.get(hash)
    if (where !== undefined) return same.push({ question: id, where })
    const at = theirs.high.findIndex((high, i) =>
      count(high ^ own.high[t]!) + count(theirs.low[i]! ^ own.low[t]!) <= ALIKE
    )
    if (at >= 0) alike.push({ question: id, where: others[at]!.id })
  })
  return { same: leakOf(same), alike: leakOf(alike) }
}
