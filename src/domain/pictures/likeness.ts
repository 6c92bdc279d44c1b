/** Likeness of pictures that are not the same to the bit: resized, compressed again, a little brighter. */
import type { Picture } from "./Picture.ts"
import { resize } from "./resample.ts"

/** Bits of a picture: whether each of 8 × 8 cells is brighter than the one to its right. */
export type Fingerprint = bigint

/** Luma of RGB, in integers (ITU-R BT.601). */
const luma = (data: Uint8Array, at: number): number =>
  299 * data[at * 3]! + 587 * data[at * 3 + 1]! + 114 * data[at * 3 + 2]!

/** The difference hash of a picture in RGB (Krawetz 2013): 64 bits. A picture of one colour has none, and is like any other of one colour. */
export const fingerprint = (picture: Picture): Fingerprint => {
  const { data } = resize(picture, { width: 9, height: 8 }, "box")
  let bits = 0n
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < 8; column++) {
      const at = row * 9 + column
      bits = bits << 1n | (luma(data, at) > luma(data, at + 1) ? 1n : 0n)
    }
  }
  return bits
}

/** Bits in which two fingerprints differ: 0 to 64. */
export const distance = (a: Fingerprint, b: Fingerprint): number => {
  let count = 0
  for (let rest = a ^ b; rest > 0n; rest &= rest - 1n) count++
  return count
}
