/** Key-value cache of several rows, kept on the host between runs of a decoder. */
import type { CacheShape } from "../../kernels/nn/cache.ts"
import { slice } from "./halving.ts"
import { allocate, type Feeds } from "./Session.ts"

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

  constructor(shape: CacheShape, rows: number, slots: number) {
    const names = Array.from({ length: shape.layers }, (_, i) => Object.values(pastNames(i))).flat()
    const size = rows * shape.groups * slots * shape.size
    this.arrays = names.map(() => allocate("float32", size) as Float32Array)
    this.feeds = Object.fromEntries(names.map((name, i) => [name, this.arrays[i]!]))
    this.shape = shape
    this.rows = rows
    this.slots = slots
  }

  /**
   * Writes the keys and values of `length` new tokens per row, [arrays, rows of the run, groups, length, size], to the
   * rows from `row` on; each row's tokens take the positions from its own `first` on.
   */
  write(present: Float32Array, length: number, first: ArrayLike<number>, row = 0): void {
    const { groups, size } = this.shape
    let at = 0
    for (const array of this.arrays) {
      for (let r = 0; r < first.length; r++) {
        for (let g = 0; g < groups; g++) {
          const slot = ((row + r) * groups + g) * this.slots + first[r]!
          array.set(present.subarray(at, at += length * size), slot * size)
        }
      }
    }
  }

  /** The inputs for the rows from..to-1 alone: views of this cache. */
  feedsOf(from: number, to: number): Feeds<string> {
    const size = this.shape.groups * this.slots * this.shape.size
    return Object.fromEntries(
      Object.entries(this.feeds).map(([name, array]) => [name, slice(array, from * size, to * size)])
    )
  }

  /** A cache of `slots` positions for the given rows of this one, with their contents as far as both have positions. */
  resized(rows: ReadonlyArray<number>, slots: number): KeyValueCache {
    const { groups, size } = this.shape
    const made = new KeyValueCache(this.shape, rows.length, slots)
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
