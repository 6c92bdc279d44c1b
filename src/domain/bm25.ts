/** BM25 (Robertson & Zaragoza 2009) in Lucene's form. */

/** Anserini's defaults. */
const [K1, B] = [0.9, 0.4]

/** Runs of letters and digits, in lower case. */
export const words = (text: string): ReadonlyArray<string> => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** How often each of its words is in a text. */
const counted = (text: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const word of words(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** For each word the passages that hold it, in order, and how often: from `starts` of its number to that of the next. */
interface Postings {
  readonly numbers: ReadonlyMap<string, number>
  readonly starts: Int32Array
  readonly docs: Int32Array
  readonly counts: Int32Array
  /** Words of each passage. */
  readonly lengths: Int32Array
}

/** Texts are read twice, so that nothing is kept of them but what is found. */
const invert = (texts: ReadonlyArray<string>): Postings => {
  const [numbers, holders] = [new Map<string, number>(), new Array<number>()]
  const lengths = new Int32Array(texts.length)
  texts.forEach((text, doc) => {
    for (const [word, count] of counted(text)) {
      const number = numbers.get(word) ?? numbers.size
      numbers.set(word, number)
      holders[number] = (holders[number] ?? 0) + 1
      lengths[doc]! += count
    }
  })
  const starts = new Int32Array(holders.length + 1)
  holders.forEach((count, number) => starts[number + 1] = starts[number]! + count)
  const next = starts.slice()
  const [docs, counts] = [new Int32Array(starts.at(-1)!), new Int32Array(starts.at(-1)!)]
  texts.forEach((text, doc) => {
    for (const [word, count] of counted(text)) {
      const at = next[numbers.get(word)!]!++
      docs[at] = doc
      counts[at] = count
    }
  })
  return { numbers, starts, docs, counts, lengths }
}

/** Scores of every passage for a question: Σ over its words of idf · tf/(tf + k1 (1 - b + b · length/mean)). */
export const scorer = (texts: ReadonlyArray<string>): (question: string) => Float32Array => {
  const { counts, docs, lengths, numbers, starts } = invert(texts)
  const mean = lengths.reduce((a, b) => a + b, 0) / texts.length
  return (question) => {
    const scores = new Float32Array(texts.length)
    for (const word of words(question)) {
      const number = numbers.get(word)
      if (number === undefined) continue
      const [from, to] = [starts[number]!, starts[number + 1]!]
      const idf = Math.log(1 + (texts.length - (to - from) + 0.5) / (to - from + 0.5))
      for (let i = from; i < to; i++) {
        const [doc, tf] = [docs[i]!, counts[i]!]
        scores[doc]! += idf * tf / (tf + K1 * (1 - B + B * lengths[doc]! / mean))
      }
    }
    return scores
  }
}
