/** A picture's own pixels as its vector: an encoder without weights. */
import { opaque, type Picture } from "./Picture.ts"
import { resize } from "./resample.ts"

/**
 * The vector of a picture, [side²]: luma (ITU-R BT.601) of side × side pixels, bilinear, less its mean, of length 1. A picture of
 * one colour has the vector 0.
 */
export const pixelVector = (picture: Picture, side: number): Float32Array => {
  const { data } = resize(opaque(picture, "drop"), { width: side, height: side }, "bilinear")
  const values = Float64Array.from(
    { length: side ** 2 },
    (_, i) => 0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!
  )
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const norm = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0))
  return Float32Array.from(values, (value) => norm < 1e-6 ? 0 : (value - mean) / norm)
}
