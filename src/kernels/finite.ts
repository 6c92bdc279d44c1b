/** Finding NaN and infinity: floats whose exponent bits are all ones. */

const EXPONENT = 0x7f800000

/** Index of the first NaN or infinite element, or -1. */
export const firstInfinite = (values: Float32Array): number => {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length)
  /** Adding one to an all-ones exponent sets the sign bit; one test of all is faster than a test of each. */
  let seen = 0
  for (let i = 0; i < bits.length; i++) seen |= (bits[i]! & EXPONENT) + 0x00800000
  return seen >= 0 ? -1 : bits.findIndex((word) => (word & EXPONENT) === EXPONENT)
}
