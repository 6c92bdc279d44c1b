/**
 * GGUF's quantised blocks (llama.cpp's `ggml-common.h`) as ours, where they say the same: blocks of 32 weights of a row,
 * each with a float16 scale d.
 */
import { firstInfinite } from "../../../../kernels/finite.ts"
import { type Blocks, partShapes, type Quantised } from "../../../../kernels/quantise.ts"
import { half } from "./dequantise.ts"
import { named } from "./types.ts"

/** Bits of an integer, by the type of GGUF tensors whose blocks have the form of ours. */
const widths = { Q4_0: 4, Q4_1: 4, Q8_0: 8 } as const satisfies Readonly<Record<string, Blocks["bits"]>>
/** Types of GGUF tensors whose blocks have the form of ours. */
export type BlockType = keyof typeof widths

const SIZE = 32

/** The blocks as which those of a type can be taken over; `undefined` for types of another form. */
export const formOf = (type: string): Blocks | undefined =>
  isBlockType(type)
    ? { bits: widths[type], size: SIZE, ...(type === "Q4_1" ? { shifted: true } : {}) }
    : undefined

/** Whether the blocks of a type have the form of ours. */
export const isBlockType = (type: string): type is BlockType => Object.hasOwn(widths, type)

/** Bytes of zero points: two of 8 or of 0, or one of 128. */
const zero: Readonly<Record<BlockType, number>> = { Q4_0: 0x88, Q4_1: 0, Q8_0: 0x80 }

/** The integers of a block: ours are in order, GGUF's 4-bit ones in two halves, and its 8-bit ones signed. */
const copy = (from: Uint8Array, to: Uint8Array, bits: Blocks["bits"]): void => {
  if (bits === 8) { for (let i = 0; i < SIZE; i++) to[i] = from[i]! ^ 0x80 }
  else {
    const at = (i: number): number => i < 16 ? from[i]! & 15 : from[i - 16]! >> 4
    for (let i = 0; i < 16; i++) to[i] = at(2 * i) | at(2 * i + 1) << 4
  }
}

/** The float16 at a place of every block, as float32. */
const fields = (bytes: Uint8Array, count: number, stride: number, place: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => half(bytes, i * stride + place))

/**
 * A GGUF tensor [rows, columns] as a quantised matrix of the same values, from the bytes of its blocks: Q4_0 is d · (q - 8),
 * Q8_0 d · q, and Q4_1 d · q + m. `undefined` where a d or m is not finite. Throws `RangeError` if the bytes are not that
 * many blocks.
 */
export const fromGguf = (
  type: BlockType,
  bytes: Uint8Array,
  rows: number,
  columns: number
): { readonly blocks: Blocks; readonly matrix: Quantised } | undefined => {
  const [bits, [, { bytes: stride }]] = [widths[type], named(type)]
  const count = rows * columns / SIZE
  if (columns % SIZE !== 0 || bytes.length !== count * stride) {
    throw new RangeError(`${bytes.length} bytes are no ${type} blocks of [${rows},${columns}]`)
  }
  const blocks = formOf(type)!
  const shapes = partShapes(blocks, rows, columns)
  const size = SIZE * bits / 8
  const head = stride - size
  const scales = fields(bytes, count, stride, 0)
  const offsets = blocks.shifted ? fields(bytes, count, stride, 2) : undefined
  if (![scales, offsets].every((own) => own === undefined || firstInfinite(own) < 0)) return undefined
  const quants = new Uint8Array(count * size)
  for (let i = 0; i < count; i++) {
    copy(bytes.subarray(i * stride + head, (i + 1) * stride), quants.subarray(i * size, (i + 1) * size), bits)
  }
  const zeros = new Uint8Array(rows * shapes.zeros[1]).fill(zero[type])
  return { blocks, matrix: { quants, scales, zeros, ...(offsets ? { offsets } : {}) } }
}
