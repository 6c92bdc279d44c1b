/**
 * Near-duplicates among many texts: candidates by bands of MinHash signatures (Broder 1997; Leskovec et al., Mining of
 * Massive Datasets, section 3.4), then Jaccard's index of the candidates' shingles.
 */
import { hashesOf, jaccardOf, leastUnder, mixed } from "./minHash.ts"
import { SHINGLE } from "./overlap.ts"

/** Bands of a signature, and its rows in a band: a pair of Jaccard index .8 is found with probability 1 - (1 - .8^5)^25 = .99995. */
const [BANDS, ROWS] = [25, 5]
/** A band's value and a text's number in one float64: 26 and 27 bits. */
const NUMBERS = 2 ** 27

/** For each band, a value that texts with the same least hashes under its five permutations share. */
const bandsOf = (own: Uint32Array): Float64Array =>
  Float64Array.from({ length: BANDS }, (_, band) => {
    let value = band
    for (let row = 0; row < ROWS; row++) value = mixed(value ^ leastUnder(own, band * ROWS + row))
    return value >>> 6
  })

/** The first place in a rising list whose value is at least `value`. */
const firstFrom = (list: Float64Array, value: number): number => {
  let [from, to] = [0, list.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (list[middle]! < value) from = middle + 1
    else to = middle
  }
  return from
}

/** A text that another is like. */
export interface Near {
  /** Its number, in the order of adding. */
  readonly at: number
  /** Jaccard's index of their runs of five words; runs are compared by 32-bit hashes. */
  readonly likeness: number
}

/** A text of training data that a text of a task is the same as, or like. */
export interface Sighting {
  /** Jaccard's index of their runs of five words; 1 if all words are the same. */
  readonly likeness: number
  /** The training text's beginning, and its file. */
  readonly seen: string
  readonly file: string
}

/** Texts among which near-duplicates are looked for: all are added first. */
export const nearDuplicates = () => {
  const texts: Array<Uint32Array> = []
  let tables: ReadonlyArray<Float64Array> | undefined
  const built = () =>
    tables ??= (() => {
      const own = Array.from({ length: BANDS }, () => new Float64Array(texts.length))
      texts.forEach((text, at) => bandsOf(text).forEach((value, band) => own[band]![at] = value * NUMBERS + at))
      return own.map((table) => table.sort())
    })()
  /** Texts that share a band's value with one. */
  const candidates = (bands: Float64Array): ReadonlySet<number> => {
    const found = new Set<number>()
    built().forEach((table, band) => {
      const [from, to] = [bands[band]! * NUMBERS, (bands[band]! + 1) * NUMBERS]
      for (let i = firstFrom(table, from); i < table.length && table[i]! < to; i++) found.add(table[i]! - from)
    })
    return found
  }
  return {
    /** Adds a text. */
    add: (text: string): void => {
      tables = undefined
      texts.push(hashesOf(text, SHINGLE))
    },
    /** The text that is most like one, if it is at least so much; the first of several. */
    find: (text: string, least: number): Near | undefined => {
      const own = hashesOf(text, SHINGLE)
      if (own.length === 0) return undefined
      let best: Near | undefined
      for (const at of [...candidates(bandsOf(own))].toSorted((a, b) => a - b)) {
        const likeness = jaccardOf(own, texts[at]!)
        if (likeness >= least && likeness > (best?.likeness ?? 0)) best = { at, likeness }
      }
      return best
    }
  }
}
