/** float32 as the blocks of GGUF's types, rounded as ggml's reference code does, to the bit. */
import { firstInfinite, toWords } from "../../../../kernels/half.ts"

/** Types that tensors are written in. */
export const writtenTypes = ["F32", "F16", "Q8_0", "Q4_0"] as const
/** A type that tensors are written in. */
export type WrittenType = typeof writtenTypes[number]

const BLOCK = 32
const { fround } = Math

/** Half away from zero, in float32. */
const rounded = (value: number): number => Math.sign(value) * Math.floor(fround(Math.abs(value)) + 0.5)

/** The element of a block with the greatest magnitude, the first of several. */
const extreme = (data: Float32Array, from: number): number => {
  let found = 0
  for (let i = from; i < from + BLOCK; i++) if (Math.abs(data[i]!) > Math.abs(found)) found = data[i]!
  return found
}

/**
 * Blocks of `bytes` bytes: the scale (the extreme value over `divisor`) as float16, then what `fill` makes of the values from
 * `from` on with the reciprocal of the scale in float32.
 */
const blocks = (
  data: Float32Array,
  bytes: number,
  scaleOf: (extreme: number) => number,
  fill: (out: Uint8Array, at: number, from: number, inverse: number) => void
): Uint8Array => {
  const scales = Float32Array.from({ length: data.length / BLOCK }, (_, i) => scaleOf(extreme(data, i * BLOCK)))
  const words = toWords(scales, "float16")
  const out = new Uint8Array(scales.length * bytes)
  scales.forEach((scale, i) => {
    out[i * bytes] = words[i]! & 255
    out[i * bytes + 1] = words[i]! >> 8
    fill(out, i * bytes + 2, i * BLOCK, scale === 0 ? 0 : fround(1 / scale))
  })
  return out
}

const q8_0 = (data: Float32Array): Uint8Array =>
  blocks(data, 34, (most) => Math.abs(most) / 127, (out, at, from, inverse) => {
    for (let j = 0; j < BLOCK; j++) out[at + j] = rounded(fround(data[from + j]! * inverse))
  })

const q4_0 = (data: Float32Array): Uint8Array =>
  blocks(data, 18, (most) => most / -8, (out, at, from, inverse) => {
    const nibble = (i: number) => Math.min(15, Math.trunc(fround(fround(data[i]! * inverse) + 8.5)))
    for (let j = 0; j < 16; j++) out[at + j] = nibble(from + j) | (nibble(from + 16 + j) << 4)
  })

/** The bytes of finite values in a type, or the first value that the type cannot hold. */
export const quantised = (data: Float32Array, type: WrittenType): Uint8Array | { readonly beyond: number } => {
  if (type === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (type === "F16") {
    const words = toWords(data, "float16")
    const beyond = firstInfinite(words, "float16")
    return beyond >= 0 ? { beyond: data[beyond]! } : new Uint8Array(words.buffer)
  }
  /** A block's scale is a float16. */
  const [most, divisor] = [data.reduce((a, b) => Math.max(a, Math.abs(b)), 0), type === "Q8_0" ? 127 : 8]
  if (most / divisor >= 65520) return { beyond: most }
  return type === "Q8_0" ? q8_0(data) : q4_0(data)
}
