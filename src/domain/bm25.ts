/** BM25 (Robertson & Zaragoza 2009) in Lucene's form. */

/** Anserini's defaults. */
const [K1, B] = [0.9, 0.4]

/** Runs of letters and digits, in lower case. */
export const words = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** The count of each word in a text. */
const counted = (text: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** Scores of all texts for a query. */
export type Score = (question: string) => Float32Array

/** For each word, the texts that contain it, in order, with counts: entries `starts[word]` to `starts[word + 1]`. */
interface Postings {
  readonly numbers: ReadonlyMap<string, number>
  readonly starts: Int32Array
  readonly docs: Int32Array
  readonly counts: Int32Array
  /** Number of words of each text. */
  readonly lengths: Int32Array
}

/** Σ over the query's words of idf · tf/(tf + k1 (1 - b + b · length/mean)). */
const scoring = ({ counts, docs, lengths, numbers, starts }: Postings): Score => {
  const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length
  return (question) => {
    const scores = new Float32Array(lengths.length)
    for (const word of words(question)) {
      const number = numbers.get(word)
      if (number === undefined) continue
      const [from, to] = [starts[number]!, starts[number + 1]!]
      const idf = Math.log(1 + (lengths.length - (to - from) + 0.5) / (to - from + 0.5))
      for (let i = from; i < to; i++) {
        const [doc, tf] = [docs[i]!, counts[i]!]
        scores[doc]! += idf * tf / (tf + K1 * (1 - B + B * lengths[doc]! / mean))
      }
    }
    return scores
  }
}

/** The second pass over the texts, in the same order, which fills the postings; the texts are not kept. */
class Listing {
  private readonly postings: Postings
  private readonly next: Int32Array
  private doc = 0
  constructor(numbers: ReadonlyMap<string, number>, starts: Int32Array, lengths: Int32Array) {
    const total = starts.at(-1)!
    this.postings = { numbers, starts, lengths, docs: new Int32Array(total), counts: new Int32Array(total) }
    this.next = starts.slice()
  }
  readonly add = (text: string): void => {
    const { counts, docs, numbers } = this.postings
    for (const [word, count] of counted(text)) {
      const at = this.next[numbers.get(word)!]!++
      docs[at] = this.doc
      counts[at] = count
    }
    this.doc++
  }
  readonly done = (): Score => scoring(this.postings)
}

/** The first pass over the texts: collects the vocabulary and document frequencies. */
export class Counting {
  private readonly numbers = new Map<string, number>()
  private readonly holders: Array<number> = []
  private readonly lengths: Array<number> = []
  readonly add = (text: string): void => {
    let length = 0
    for (const [word, count] of counted(text)) {
      const number = this.numbers.get(word) ?? this.numbers.size
      this.numbers.set(word, number)
      this.holders[number] = (this.holders[number] ?? 0) + 1
      length += count
    }
    this.lengths.push(length)
  }
  readonly done = (): Listing => {
    const starts = new Int32Array(this.holders.length + 1)
    this.holders.forEach((count, number) => starts[number + 1] = starts[number]! + count)
    return new Listing(this.numbers, starts, Int32Array.from(this.lengths))
  }
}

/** BM25 scores of these texts for a query. */
export const scorer = (texts: ReadonlyArray<string>): Score => {
  const counting = new Counting()
  texts.forEach(counting.add)
  const listing = counting.done()
  texts.forEach(listing.add)
  return listing.done()
}
