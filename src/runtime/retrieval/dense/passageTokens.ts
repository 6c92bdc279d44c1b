/** Tokenises the corpus, caching the most recent passages. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Corpus, CorpusError } from "../../ports/Corpus.ts"

/** Tokens per block, and blocks cached: 64 MiB. */
const [BLOCK, KEPT] = [2 ** 20, 16]

type Tokenize = (text: string) => ReadonlyArray<number>

/** Token cache by corpus row, in blocks; the oldest block is evicted. */
class Kept {
  private readonly blocks: Array<Int32Array> = []
  private room = 0
  /** Index of the oldest block that is cached. */
  private first = 0
  /** Start of each passage: block index × BLOCK + offset; -1 if not yet tokenised. */
  private readonly starts: Float64Array
  private readonly lengths: Int32Array
  private readonly most: number

  constructor(size: number, most: number) {
    this.starts = new Float64Array(size).fill(-1)
    this.lengths = new Int32Array(size)
    this.most = most
  }
  /** The cached tokens; `undefined` if evicted. Views of an evicted block stay valid. */
  of(row: number): Int32Array | undefined {
    const start = this.starts[row]!
    const block = this.blocks[Math.floor(start / BLOCK) - this.first]
    const from = start % BLOCK
    return block?.subarray(from, from + this.lengths[row]!)
  }
  keep(row: number, tokens: ReadonlyArray<number>): Int32Array {
    if (tokens.length > this.room || this.blocks.length === 0) {
      this.room = Math.max(BLOCK, tokens.length)
      this.blocks.push(new Int32Array(this.room))
      if (this.blocks.length > this.most) {
        this.blocks.shift()
        this.first++
      }
    }
    const block = this.blocks.at(-1)!
    const from = block.length - this.room
    block.set(tokens, from)
    this.starts[row] = (this.first + this.blocks.length - 1) * BLOCK + from
    this.lengths[row] = tokens.length
    this.room -= tokens.length
    return block.subarray(from, from + tokens.length)
  }
}

/** Token ids of the corpus. */
export interface PassageTokens {
  /** The tokens of some passages, in the given order; rows may repeat. */
  readonly of: (rows: ArrayLike<number>) => Effect.Effect<ReadonlyArray<Int32Array>, CorpusError>
  /** Number of tokens of each passage, by row. */
  readonly lengths: Effect.Effect<Int32Array, CorpusError>
}

/** Caches the last `blocks` blocks (at least 1); a passage larger than a block gets a block of its size. */
export const make = (
  { all, read, size }: Pick<Corpus["Service"], "all" | "read" | "size">,
  tokenize: Tokenize,
  blocks: number = KEPT
): PassageTokens => {
  let tokens: Kept | undefined
  const keeping = () => tokens ??= new Kept(size, blocks)
  let lengths: Int32Array | undefined
  const count = Effect.gen(function*() {
    const [found, kept] = [new Int32Array(size), keeping()]
    let row = 0
    yield* Stream.runForEachArray(all, (some) =>
      Effect.andThen(
        Effect.sync(() => {
          for (const { text } of some) {
            found[row] = (kept.of(row) ?? kept.keep(row, tokenize(text))).length
            row++
          }
        }),
        Effect.yieldNow
      ))
    return lengths = found
  })
  return {
    of: Effect.fnUntraced(function*(rows) {
      const kept = keeping()
      const found = Array.from(rows, (row) => kept.of(row))
      const missing = [...new Set(Array.from(rows).filter((_, i) => found[i] === undefined))]
      const passages = missing.length > 0 ? yield* read(missing) : []
      const made = new Map(passages.map(({ text }, i) => [missing[i]!, kept.keep(missing[i]!, tokenize(text))]))
      return Array.from(rows, (row, i) => found[i] ?? made.get(row)!)
    }),
    lengths: Effect.suspend(() => lengths ? Effect.succeed(lengths) : count)
  }
}
