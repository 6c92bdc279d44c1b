/**
 * Near-duplicates among many texts: candidates by bands of MinHash signatures (Broder 1997; Leskovec et al., Mining of
 * Massive Datasets, section 3.4), then Jaccard's index of the candidates' shingles.
 */
import { SHINGLE, shingles, wordsOf } from "./overlap.ts"

/** Bands of a signature, and its rows in a band: a pair of Jaccard index .8 is found with probability 1 - (1 - .8^5)^25 = .99995. */
const [BANDS, ROWS] = [25, 5]
/** A band's value and a text's number in one float64: 26 and 27 bits. */
const NUMBERS = 2 ** 27

/** A well-mixed 32-bit number (the finaliser of MurmurHash3). */
const mixed = (value: number): number => {
  let x = value ^ (value >>> 16)
  x = Math.imul(x, 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** FNV-1a of the UTF-16 code units. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mixed(hash)
}

const seeds = Uint32Array.from({ length: BANDS * ROWS }, (_, i) => mixed(i + 1))

/** The hashes of a text's runs of five words, rising, each once; none without words. */
const hashes = (text: string): Uint32Array => {
  const all = Uint32Array.from(shingles(wordsOf(text), SHINGLE), hashOf).sort()
  return all.filter((hash, i) => i === 0 || hash !== all[i - 1])
}

/** For each band, a value that texts with the same least hashes under its five permutations share. */
const bandsOf = (own: Uint32Array): Float64Array =>
  Float64Array.from({ length: BANDS }, (_, band) => {
    let value = band
    for (let row = 0; row < ROWS; row++) {
      const seed = seeds[band * ROWS + row]!
      let least = 0xffffffff
      for (const hash of own) {
        const permuted = mixed(hash ^ seed)
        if (permuted < least) least = permuted
      }
      value = mixed(value ^ least)
    }
    return value >>> 6
  })

/** Jaccard's index of two rising lists. */
const similarity = (a: Uint32Array, b: Uint32Array): number => {
  let [both, i, j] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i]!, b[j]!]
    if (x === y) both++
    if (x <= y) i++
    if (y <= x) j++
  }
  return both === 0 ? 0 : both / (a.length + b.length - both)
}

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
      texts.push(hashes(text))
    },
    /** The text that is most like one, if it is at least so much; the first of several. */
    find: (text: string, least: number): Near | undefined => {
      const own = hashes(text)
      if (own.length === 0) return undefined
      let best: Near | undefined
      for (const at of [...candidates(bandsOf(own))].toSorted((a, b) => a - b)) {
        const likeness = similarity(own, texts[at]!)
        if (likeness >= least && likeness > (best?.likeness ?? 0)) best = { at, likeness }
      }
      return best
    }
  }
}
