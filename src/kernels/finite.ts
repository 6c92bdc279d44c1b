/** Where an array stops being numbers: NaN and the infinities, whose exponents are all ones. */

const EXPONENT = 0x7f800000

/** The place of the first element that is NaN or infinite, or -1. */
export const firstInfinite = (values: Float32Array): number => {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length)
  /** Such an exponent, and one more, is a negative number: one look for all is faster than one for each. */
  let seen = 0
  for (let i = 0; i < bits.length; i++) seen |= (bits[i]! & EXPONENT) + 0x00800000
  return seen >= 0 ? -1 : bits.findIndex((word) => (word & EXPONENT) === EXPONENT)
}
