/** Key-value cache of several rows, kept between runs of a decoder on the host and, if there is one, on the device. */
import type { CacheShape } from "../../kernels/nn/cache.ts"
import { allocate, type Feeds, type Kept } from "./Session.ts"

/** Names of the decoder inputs with the cached keys and values of a layer. */
export const pastNames = (layer: number): { readonly k: string; readonly v: string } => ({
  k: `past/${layer}/k`,
  v: `past/${layer}/v`
})

/** One array per input: [rows, groups, slots, size], with `groups` KV heads and `slots` positions. */
export class KeyValueCache {
  readonly rows: number
  readonly slots: number
  readonly feeds: Feeds<string>
  private readonly shape: CacheShape
  private readonly arrays: ReadonlyArray<Float32Array>
  private readonly kept: Kept

  constructor(shape: CacheShape, rows: number, slots: number, kept: Kept) {
    const names = Array.from({ length: shape.layers }, (_, i) => Object.values(pastNames(i))).flat()
    const size = rows * shape.groups * slots * shape.size
    this.arrays = names.map(() => allocate("float32", size) as Float32Array)
    this.feeds = Object.fromEntries(names.map((name, i) => [name, this.arrays[i]!]))
    this.shape = shape
    this.rows = rows
    this.slots = slots
    this.kept = kept
    kept.keep(this.arrays)
  }

  /**
   * Writes the keys and values of `length` new tokens per row, [arrays, rows of the run, groups, length, size], to the
   * rows from `row` on; each row's tokens take the positions from its own `first` on.
   */
  write(present: Float32Array, length: number, first: ArrayLike<number>, row = 0): void {
    const { groups, size } = this.shape
    const slotOf = (r: number) => (row + r) * groups * this.slots + first[r]!
    const stride = this.slots * size
    let at = 0
    for (const array of this.arrays) {
      for (let r = 0; r < first.length; r++) {
        const start = slotOf(r) * size
        for (let g = 0; g < groups; g++) array.set(present.subarray(at, at += length * size), start + g * stride)
        this.kept.wrote(array, { start, length: length * size, stride, count: groups })
      }
    }
  }

  /** Frees what a device keeps of it. */
  release(): void {
    this.kept.release(this.arrays)
  }

  /**
   * The inputs for the rows from..to-1. For some of them, these are views of the host's arrays: a device that has no
   * memory to run all rows keeps none of them either.
   */
  feedsOf(from: number, to: number): Feeds<string> {
    if (from === 0 && to === this.rows) return this.feeds
    this.release()
    const size = this.shape.groups * this.slots * this.shape.size
    return Object.fromEntries(
      Object.entries(this.feeds).map(([name, array]) => [name, array.subarray(from * size, to * size)])
    )
  }

  /** A cache of `slots` positions for the given rows of this one, with their contents as far as both have positions. */
  resized(rows: ReadonlyArray<number>, slots: number): KeyValueCache {
    const { groups, size } = this.shape
    const made = new KeyValueCache(this.shape, rows.length, slots, this.kept)
    const width = Math.min(this.slots, slots) * size
    this.arrays.forEach((array, i) => {
      rows.forEach((row, r) => {
        for (let g = 0; g < groups; g++) {
          const from = (row * groups + g) * this.slots * size
          made.arrays[i]!.set(array.subarray(from, from + width), (r * groups + g) * slots * size)
        }
      })
    })
    return made
  }
}
