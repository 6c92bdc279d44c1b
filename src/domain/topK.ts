/** Streaming top-k. */

/** The `k` greatest scores per row with their ids, best first; ties are ordered by id. */
export class TopK {
  /** [rows, k]; -1 is padding. */
  readonly docs: Int32Array
  readonly scores: Float32Array
  private readonly k: number

  constructor(rows: number, k: number) {
    this.k = k
    this.docs = new Int32Array(rows * k).fill(-1)
    this.scores = new Float32Array(rows * k).fill(-Infinity)
  }
  /** Offers the score of an id new to this row, in any order; the score is rounded to float32. */
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
  /** Whether the score ranks above entry `at`. */
  private before(score: number, doc: number, at: number): boolean {
    const other = this.scores[at]!
    return score > other || (score === other && (this.docs[at]! < 0 || doc < this.docs[at]!))
  }
}
