/** Streams text as tokens arrive: whole characters only, up to a stop string. */

/** The text completed by an added token, and whether a stop string ended the text. */
export interface Piece {
  readonly text: string
  readonly stopped: boolean
}

/** An incomplete character is decoded as this. */
const UNFINISHED = "\uFFFD"

/** Length of the longest suffix of `text` that could begin a stop string. */
const heldBack = (text: string, stops: ReadonlyArray<string>): number => {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1))
  for (let n = Math.min(longest, text.length); n > 0; n--) {
    if (stops.some((stop) => stop.startsWith(text.slice(-n)))) return n
  }
  return 0
}

/** Position of the first stop string in `text`; Infinity if there is none. */
const firstStop = (text: string, stops: ReadonlyArray<string>): number =>
  Math.min(...stops.map((stop) => text.indexOf(stop)).map((at) => at < 0 ? Infinity : at))

/**
 * Tokens are decoded together with those of the previous piece, as a token's text depends on its predecessors. The stop
 * string that ends a text is not part of it.
 */
export class TextStream {
  private readonly decode: (ids: ReadonlyArray<number>) => string
  private readonly stops: ReadonlyArray<string>
  /** Tokens of the previous piece, then those not yet output. */
  private ids: Array<number> = []
  private told = 0
  private waiting = ""

  constructor(decode: (ids: ReadonlyArray<number>) => string, stops: ReadonlyArray<string>) {
    this.decode = decode
    this.stops = stops
  }

  add(id: number): Piece {
    this.ids.push(id)
    const text = this.fresh()
    if (text === "" || text.endsWith(UNFINISHED)) return { text: "", stopped: false }
    return this.release(text, false)
  }

  /** The remaining text after the last token. */
  end(): Piece {
    return this.release(this.fresh(), true)
  }

  private fresh(): string {
    return this.decode(this.ids).slice(this.decode(this.ids.slice(0, this.told)).length)
  }

  private release(text: string, last: boolean): Piece {
    this.ids = this.ids.slice(this.told)
    this.told = this.ids.length
    const all = this.waiting + text
    const stop = firstStop(all, this.stops)
    if (stop < Infinity) return { text: all.slice(0, stop), stopped: true }
    const held = last ? 0 : heldBack(all, this.stops)
    this.waiting = all.slice(all.length - held)
    return { text: all.slice(0, all.length - held), stopped: false }
  }
}
