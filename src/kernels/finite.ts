/** Where an array stops being numbers: NaN and the infinities. */

/** The place of the first element that is NaN or infinite, or -1. */
export const firstInfinite = (values: Float32Array): number => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7f800000) === 0x7f800000) return i
  return -1
}
