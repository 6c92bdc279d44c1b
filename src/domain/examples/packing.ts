/** Packing: examples of different lengths share rows of a fixed length, so that little is padding. */

/** A piece of an example: tokens from..to-1 of the example with this index. */
export interface Piece {
  readonly example: number
  readonly from: number
  readonly to: number
}
/** A row: its pieces in order. */
export type Bin = ReadonlyArray<Piece>

/**
 * Places in sorted order: the row with the least room that is still enough, the oldest among equals. A segment tree over
 * the amounts of room tells which amounts there are; each has its rows in the order in which they came to it.
 */
class Rooms {
  private readonly most: number
  private readonly size: number
  private readonly any: Uint8Array
  private readonly rows: ReadonlyArray<Array<number>>
  constructor(most: number) {
    this.most = most
    this.size = 2 ** Math.ceil(Math.log2(most + 1))
    this.any = new Uint8Array(2 * this.size)
    this.rows = Array.from({ length: most + 1 }, () => [])
  }
  private mark(room: number): void {
    for (let node = this.size + room, first = true; node >= 1; node >>= 1, first = false) {
      this.any[node] = first ? Math.min(1, this.rows[room]!.length) : this.any[2 * node]! | this.any[2 * node + 1]!
    }
  }
  /** The least room of at least `room`; -1 if there is none. */
  private least(room: number): number {
    let node = this.size + room
    if (this.any[node] === 1) return room
    while (node > 1 && !(node % 2 === 0 && this.any[node + 1] === 1)) node >>= 1
    if (node <= 1) return -1
    node++
    while (node < this.size) node = this.any[2 * node] === 1 ? 2 * node : 2 * node + 1
    return node - this.size
  }
  /** Takes a row with room for `length`; -1 if there is none. */
  take(length: number): { readonly row: number; readonly room: number } | undefined {
    const room = length > this.most ? -1 : this.least(length)
    if (room < 0) return undefined
    const row = this.rows[room]!.shift()!
    this.mark(room)
    return { row, room }
  }
  put(row: number, room: number): void {
    if (room <= 0) return
    this.rows[room]!.push(row)
    this.mark(room)
  }
}

/** Best fit, longest first; pieces of equal length in their order. Pieces are no longer than `most`. */
const bestFit = (pieces: ReadonlyArray<Piece>, most: number): ReadonlyArray<Bin> => {
  const length = ({ from, to }: Piece) => to - from
  const rooms = new Rooms(most)
  const bins: Array<Array<Piece>> = []
  for (const piece of pieces.toSorted((a, b) => length(b) - length(a))) {
    const { room, row } = rooms.take(length(piece)) ?? { row: bins.push([]) - 1, room: most }
    bins[row]!.push(piece)
    rooms.put(row, room - length(piece))
  }
  return bins
}

/** Best-fit decreasing (TRL's `bfd`). Lengths are at most `most`; throws `RangeError` otherwise. */
export const bfd = (lengths: ReadonlyArray<number>, most: number): ReadonlyArray<Bin> => {
  const long = lengths.findIndex((length) => length > most)
  if (long >= 0) throw new RangeError(`example ${long} has ${lengths[long]} tokens, rows have room for ${most}`)
  return bestFit(lengths.map((to, example) => ({ example, from: 0, to })), most)
}

/** The same with longer examples cut into pieces of `most` tokens first (TRL's `bfd_split`). */
export const bfdSplit = (lengths: ReadonlyArray<number>, most: number): ReadonlyArray<Bin> =>
  bestFit(
    lengths.flatMap((length, example) =>
      Array.from({ length: Math.ceil(length / most) }, (_, i) => ({
        example,
        from: i * most,
        to: Math.min(length, (i + 1) * most)
      }))
    ),
    most
  )

/** One after the other, cut every `most` tokens (TRL's `wrapped`); the last row may be shorter. */
export const wrapped = (lengths: ReadonlyArray<number>, most: number): ReadonlyArray<Bin> => {
  const bins: Array<Array<Piece>> = []
  let room = 0
  lengths.forEach((length, example) => {
    for (let from = 0; from < length;) {
      if (room === 0) {
        bins.push([])
        room = most
      }
      const to = Math.min(length, from + room)
      bins.at(-1)!.push({ example, from, to })
      room -= to - from
      from = to
    }
  })
  return bins
}
