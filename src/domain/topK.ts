/** The greatest of many scores, kept while they come. */

/** For each of some rows the `k` greatest scores and whose they are, best first, equal ones in order of place. */
export class TopK {
  /** [rows, k]; -1 where there are no more. */
  readonly docs: Int32Array
  readonly scores: Float32Array
  private readonly k: number

  constructor(rows: number, k: number) {
    this.k = k
    this.docs = new Int32Array(rows * k).fill(-1)
    this.scores = new Float32Array(rows * k).fill(-Infinity)
  }
  /** The score, as float32, of a place that the row has not been offered yet, in whatever order. */
  offer(row: number, doc: number, exact: number): void {
    const score = Math.fround(exact)
    const { docs, scores } = this
    const first = row * this.k
    let at = first + this.k - 1
    if (score < scores[at]! || this.k === 0) return
    if (Number.isNaN(score)) throw new RangeError(`the score of ${doc} is NaN`)
    if (!this.before(score, doc, at)) return
    for (; at > first && this.before(score, doc, at - 1); at--) {
      scores[at] = scores[at - 1]!
      docs[at] = docs[at - 1]!
    }
    scores[at] = score
    docs[at] = doc
  }
  /** Whether it is to stand before what stands at `at`. */
  private before(score: number, doc: number, at: number): boolean {
    const other = this.scores[at]!
    return score > other || (score === other && (this.docs[at]! < 0 || doc < this.docs[at]!))
  }
}
