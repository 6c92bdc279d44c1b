/** Known phrases found in texts, in time that grows with the texts alone. */
import { wordsOf } from "./overlap.ts"

/** Words that a phrase needs: shorter ones stand in texts by chance. */
export const PHRASE = 6
/** Base of the rolling hash (Karp and Rabin 1987), modulo 2^32. */
const BASE = 0x01000193

const hashOf = (word: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), BASE)
  return hash
}
const HIGHEST = Array.from({ length: PHRASE - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1)

/** Hashes of every run of `PHRASE` words. */
const rolled = (words: ReadonlyArray<string>): Int32Array => {
  const own = Int32Array.from(words, hashOf)
  const runs = new Int32Array(Math.max(0, words.length - PHRASE + 1))
  let hash = 0
  for (let i = 0; i < words.length; i++) {
    if (i >= PHRASE) hash = (hash - Math.imul(own[i - PHRASE]!, HIGHEST)) | 0
    hash = (Math.imul(hash, BASE) + own[i]!) | 0
    if (i >= PHRASE - 1) runs[i - PHRASE + 1] = hash
  }
  return runs
}

/** Phrases, by their numbers in the order of adding. Case, punctuation and white space make no difference. */
export class Phrases {
  private readonly words: Array<ReadonlyArray<string>> = []
  private readonly starts = new Map<number, Array<number>>()

  /** Adds a phrase; false if it has fewer than `PHRASE` words, and is not looked for. */
  add(text: string): boolean {
    const own = wordsOf(text)
    const number = this.words.push(own) - 1
    if (own.length < PHRASE) return false
    const [key] = rolled(own.slice(0, PHRASE))
    const others = this.starts.get(key!)
    if (others) others.push(number)
    else this.starts.set(key!, [number])
    return true
  }

  /** The phrases whose words follow each other in a text, rising. */
  within(text: string): ReadonlyArray<number> {
    const words = wordsOf(text)
    const found = new Set<number>()
    rolled(words).forEach((key, at) => {
      for (const number of this.starts.get(key) ?? []) {
        if (this.words[number]!.every((word, i) => words[at + i] === word)) found.add(number)
      }
    })
    return [...found].toSorted((a, b) => a - b)
  }

  /** Number of words of a phrase. */
  lengthOf(number: number): number {
    return this.words[number]!.length
  }
}
