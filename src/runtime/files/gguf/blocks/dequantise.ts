/**
 * Blocks of 32 values with one float16 scale, and for some types a float16 minimum, as float32. Low halves of the bytes of
 * a block are its first 16 values, high halves its last 16. Every product is exact in float64, so each value is rounded
 * once, as in float32 arithmetic. Layouts: ggml, `ggml-common.h`.
 */
import { float16s } from "../../../../kernels/half.ts"

/** Decodes blocks to float32. */
type Decode = (bytes: Uint8Array, data: Float32Array) => void

/** Values per block. */
const BLOCK = 32

/** The float16 whose bits are the two bytes at `at`. */
export const half = (bytes: Uint8Array, at: number): number => float16s()[bytes[at]! | (bytes[at + 1]! << 8)]!

/** Blocks of nibbles after `head` bytes, each value the scale times `values[nibble]`. */
const nibbles = (values: ArrayLike<number>): Decode => (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 18, to += BLOCK) {
    const scale = half(bytes, at)
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]!
      data[to + j] = scale * values[pair & 15]!
      data[to + 16 + j] = scale * values[pair >> 4]!
    }
  }
}

/** Scale times (nibble - 8). */
export const q4_0: Decode = nibbles(Int8Array.from({ length: 16 }, (_, i) => i - 8))

/** Scale times one of sixteen values that are nearer to each other around zero. */
export const iq4_nl: Decode = nibbles(
  Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
)

/** Scale times nibble, plus minimum. */
export const q4_1: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 20, to += BLOCK) {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)]
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 4 + j]!
      data[to + j] = scale * (pair & 15) + least
      data[to + 16 + j] = scale * (pair >> 4) + least
    }
  }
}

/** Value `j` of a block of five bits: a nibble at `low`, and bit `j` of the four bytes at `high`. */
const five = (bytes: Uint8Array, high: number, low: number, j: number): number => {
  const nibble = j < 16 ? bytes[low + j]! & 15 : bytes[low + j - 16]! >> 4
  return nibble | (((bytes[high + (j >> 3)]! >> (j & 7)) & 1) << 4)
}

/** Scale times (five bits - 16). */
export const q5_0: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 22, to += BLOCK) {
    const scale = half(bytes, at)
    for (let j = 0; j < BLOCK; j++) data[to + j] = scale * (five(bytes, at + 2, at + 6, j) - 16)
  }
}

/** Scale times five bits, plus minimum. */
export const q5_1: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 24, to += BLOCK) {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)]
    for (let j = 0; j < BLOCK; j++) data[to + j] = scale * five(bytes, at + 4, at + 8, j) + least
  }
}

/** Scale times a signed byte. */
export const q8_0: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 34, to += BLOCK) {
    const scale = half(bytes, at)
    for (let j = 0; j < BLOCK; j++) data[to + j] = scale * ((bytes[at + 2 + j]! << 24) >> 24)
  }
}
