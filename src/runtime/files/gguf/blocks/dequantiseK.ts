/**
 * K-quants: blocks of 256 values with a float16 scale (and for some types a float16 scale of minima), divided into groups of
 * 16 or 32 with small integer scales. Every product is exact in float64, so each value is rounded once, as in float32
 * arithmetic. Layouts: ggml, `ggml-common.h`.
 */
import { half } from "./dequantise.ts"

/** Decodes blocks to float32. */
type Decode = (bytes: Uint8Array, data: Float32Array) => void

/** Values per block. */
const BLOCK = 256

/** Two bits of value `i`: each run of 32 bytes has 128 values, a quarter of them in each two bits. */
const twoBits = (bytes: Uint8Array, at: number, i: number): number =>
  (bytes[at + (i >> 7) * 32 + (i & 31)]! >> (2 * ((i >> 5) & 3))) & 3

/** Four bits of value `i`: each run of 32 bytes has 64 values, the first half of them in the low nibbles. */
const fourBits = (bytes: Uint8Array, at: number, i: number): number =>
  (bytes[at + (i >> 6) * 32 + (i & 31)]! >> (4 * ((i >> 5) & 1))) & 15

/** 16 groups of scale and minimum in a byte each (4 + 4 bits), two bits a value, the two scales. */
export const q2_K: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 84, to += BLOCK) {
    const [scale, least] = [half(bytes, at + 80), half(bytes, at + 82)]
    for (let i = 0; i < BLOCK; i++) {
      const group = bytes[at + (i >> 4)]!
      data[to + i] = scale * (group & 15) * twoBits(bytes, at + 16, i) - least * (group >> 4)
    }
  }
}

/** Scale of group `g` of Q3_K: four low bits in eight bytes, two high bits in the next four; offset by 32. */
const scale3 = (bytes: Uint8Array, at: number, g: number): number => {
  const low = (bytes[at + (g & 7)]! >> (4 * (g >> 3))) & 15
  return (low | (((bytes[at + 8 + (g & 3)]! >> (2 * (g >> 2))) & 3) << 4)) - 32
}

/** A third bit for each value (4 is subtracted where it is 0), two bits a value, 16 scales of six bits, the scale. */
export const q3_K: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 110, to += BLOCK) {
    const scale = half(bytes, at + 108)
    for (let g = 0; g < 16; g++) {
      const own = scale * scale3(bytes, at + 96, g)
      for (let i = 16 * g; i < 16 * g + 16; i++) {
        const third = (bytes[at + (i & 31)]! >> (i >> 5)) & 1
        data[to + i] = own * (twoBits(bytes, at + 32, i) - (third ? 0 : 4))
      }
    }
  }
}

/** Scale of group `g` of Q4_K and Q5_K: six bits; the high two of the last four groups are with the first four. */
const scale6 = (bytes: Uint8Array, at: number, g: number): number =>
  g < 4 ? bytes[at + g]! & 63 : (bytes[at + 4 + g]! & 15) | ((bytes[at + g - 4]! >> 6) << 4)

/** Minimum of group `g`, packed likewise. */
const least6 = (bytes: Uint8Array, at: number, g: number): number =>
  g < 4 ? bytes[at + 4 + g]! & 63 : (bytes[at + 4 + g]! >> 4) | ((bytes[at + g]! >> 6) << 4)

/** The two scales, 8 groups of scale and minimum in 12 bytes, four bits a value. */
export const q4_K: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 144, to += BLOCK) {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)]
    for (let g = 0; g < 8; g++) {
      const [own, under] = [scale * scale6(bytes, at + 4, g), least * least6(bytes, at + 4, g)]
      for (let i = 32 * g; i < 32 * g + 32; i++) data[to + i] = own * fourBits(bytes, at + 16, i) - under
    }
  }
}

/** The same with a fifth bit for each value in 32 bytes before the four bits. */
export const q5_K: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 176, to += BLOCK) {
    const [scale, least] = [half(bytes, at), half(bytes, at + 2)]
    for (let g = 0; g < 8; g++) {
      const [own, under] = [scale * scale6(bytes, at + 4, g), least * least6(bytes, at + 4, g)]
      for (let i = 32 * g; i < 32 * g + 32; i++) {
        const fifth = (bytes[at + 16 + (i & 31)]! >> g) & 1
        data[to + i] = own * (fourBits(bytes, at + 48, i) | (fifth << 4)) - under
      }
    }
  }
}

/** Four low bits, two high bits, 16 scales of a signed byte, the scale; values are offset by 32. */
export const q6_K: Decode = (bytes, data) => {
  for (let at = 0, to = 0; at < bytes.length; at += 210, to += BLOCK) {
    const scale = half(bytes, at + 208)
    for (let i = 0; i < BLOCK; i++) {
      /** Each 64 bytes have 128 values: 64 in the low nibbles, then 64 in the high ones. */
      const low = (bytes[at + (i >> 7) * 64 + (i & 63)]! >> (4 * ((i >> 6) & 1))) & 15
      const own = scale * ((bytes[at + 192 + (i >> 4)]! << 24) >> 24)
      data[to + i] = own * ((low | (twoBits(bytes, at + 128, i) << 4)) - 32)
    }
  }
}
