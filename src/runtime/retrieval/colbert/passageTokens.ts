/** The corpus in tokens, for as many passages as are wanted. */

/** Tokens that are kept in one array. */
const BLOCK = 2 ** 20

/** The tokens of passages, by row: made when they are first wanted, and kept close together. */
export class PassageTokens {
  readonly size: number
  private readonly texts: ReadonlyArray<string>
  private readonly tokenize: (text: string) => ReadonlyArray<number>
  private readonly blocks: Array<Int32Array> = []
  private room = 0
  /** Where each passage's begin: block × BLOCK + place; -1 where they are not made yet. */
  private readonly starts: Float64Array
  private readonly lengths: Int32Array

  constructor(texts: ReadonlyArray<string>, tokenize: (text: string) => ReadonlyArray<number>) {
    this.size = texts.length
    this.texts = texts
    this.tokenize = tokenize
    this.starts = new Float64Array(texts.length).fill(-1)
    this.lengths = new Int32Array(texts.length)
  }
  readonly of = (row: number): Int32Array => {
    const start = this.starts[row]!
    if (start < 0) return this.keep(row, this.tokenize(this.texts[row]!))
    if (this.lengths[row] === 0) return new Int32Array(0)
    const from = start % BLOCK
    return this.blocks[Math.floor(start / BLOCK)]!.subarray(from, from + this.lengths[row]!)
  }
  private keep(row: number, tokens: ReadonlyArray<number>): Int32Array {
    if (tokens.length > this.room) {
      this.room = Math.max(BLOCK, tokens.length)
      this.blocks.push(new Int32Array(this.room))
    }
    this.lengths[row] = tokens.length
    this.starts[row] = 0
    if (tokens.length > 0) {
      const block = this.blocks.length - 1
      const from = this.blocks[block]!.length - this.room
      this.blocks[block]!.set(tokens, from)
      this.starts[row] = block * BLOCK + from
      this.room -= tokens.length
    }
    return this.of(row)
  }
}
