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

/** One block: its scale as float16 bits, then `fill` with the reciprocal of the scale in float32. */
const block = (out: Uint8Array, at: number, scale: number, fill: (inverse: number) => void): void => {
  const [bits] = toWords(Float32Array.of(scale), "float16")
  out[at] = bits! & 255
  out[at + 1] = bits! >> 8
  fill(scale === 0 ? 0 : fround(1 / scale))
}

const q8_0 = (data: Float32Array): Uint8Array => {
  const out = new Uint8Array(data.length / BLOCK * 34)
  for (let from = 0, at = 0; from < data.length; from += BLOCK, at += 34) {
    block(out, at, fround(Math.abs(extreme(data, from)) / 127), (inverse) => {
      for (let j = 0; j < BLOCK; j++) out[at + 2 + j] = rounded(fround(data[from + j]! * inverse))
    })
  }
  return out
}

const q4_0 = (data: Float32Array): Uint8Array => {
  const out = new Uint8Array(data.length / BLOCK * 18)
  for (let from = 0, at = 0; from < data.length; from += BLOCK, at += 18) {
    block(out, at, fround(extreme(data, from) / -8), (inverse) => {
      const nibble = (i: number) => Math.min(15, Math.trunc(fround(fround(data[i]! * inverse) + 8.5)))
      for (let j = 0; j < 16; j++) out[at + 2 + j] = nibble(from + j) | (nibble(from + 16 + j) << 4)
    })
  }
  return out
}

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
