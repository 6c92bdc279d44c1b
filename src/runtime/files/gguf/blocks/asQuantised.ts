/**
 * GGUF's quantised blocks (llama.cpp's `ggml-common.h`) as ours, where they say the same: blocks of 32 weights of a row,
 * each with a float16 scale d.
 */
import { fromWords } from "../../../../kernels/half.ts"
import { type Blocks, partShapes, type Quantised } from "../../../../kernels/quantise.ts"

/** Types of GGUF tensors whose blocks have the form of ours. */
export type BlockType = "Q4_0" | "Q4_1" | "Q8_0"

/** A block's layout: bits, bytes in all, and bytes before its integers. */
interface Layout {
  readonly bits: Blocks["bits"]
  readonly bytes: number
  readonly head: number
}

const SIZE = 32
const layouts: Readonly<Record<BlockType, Layout>> = {
  Q4_0: { bits: 4, bytes: 18, head: 2 },
  Q4_1: { bits: 4, bytes: 20, head: 4 },
  Q8_0: { bits: 8, bytes: 34, head: 2 }
}

/** The blocks as which those of a type can be taken over; `undefined` for types of another form. */
export const formOf = (type: string): Blocks | undefined =>
  isBlockType(type) ? { bits: layouts[type].bits, size: SIZE } : undefined

/** Whether the blocks of a type have the form of ours. */
export const isBlockType = (type: string): type is BlockType => Object.hasOwn(layouts, type)

/** The zero point for which d · (q - zero) is d · q + m to the bit for all q; `undefined` if there is none. */
const zeroOf = (d: number, m: number): number | undefined => {
  if (m === 0) return 0
  const zero = Math.round(-m / d)
  return zero >= 0 && zero <= 15 && -zero * d === m ? zero : undefined
}

/** The integers of a block: ours are in order, GGUF's 4-bit ones in two halves, and its 8-bit ones signed. */
const copy = (from: Uint8Array, to: Uint8Array, bits: Blocks["bits"]): void => {
  if (bits === 8) { for (let i = 0; i < SIZE; i++) to[i] = from[i]! ^ 0x80 }
  else {
    const at = (i: number): number => i < 16 ? from[i]! & 15 : from[i - 16]! >> 4
    for (let i = 0; i < 16; i++) to[i] = at(2 * i) | at(2 * i + 1) << 4
  }
}

/**
 * A GGUF tensor [rows, columns] as a quantised matrix of the same values, from the bytes of its blocks. Q4_0 and Q8_0
 * are always taken over without loss, as d · (q - 8) and d · q. Q4_1 is d · q + m with a float16 m, and has no loss only
 * where every m is a multiple of its d, from 0 to -15 d; `undefined` otherwise, and where a scale is not finite: such a
 * tensor is to be read as float32, and may be quantised anew. Throws `RangeError` if the bytes are not that many blocks.
 */
export const fromGguf = (
  type: BlockType,
  bytes: Uint8Array,
  rows: number,
  columns: number
): { readonly blocks: Blocks; readonly matrix: Quantised } | undefined => {
  const { bits, bytes: stride, head } = layouts[type]
  const count = rows * columns / SIZE
  if (columns % SIZE !== 0 || bytes.length !== count * stride) {
    throw new RangeError(`${bytes.length} bytes are no ${type} blocks of [${rows},${columns}]`)
  }
  const blocks: Blocks = { bits, size: SIZE }
  const shapes = partShapes(blocks, rows, columns)
  const size = SIZE * bits / 8
  const [quants, zeros] = [new Uint8Array(count * size), new Uint8Array(rows * shapes.zeros[1])]
  const words = new Uint16Array(count)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < count; i++) words[i] = view.getUint16(i * stride, true)
  const scales = fromWords(words, "float16")
  const minimum = new Uint16Array(1)
  for (let i = 0; i < count; i++) {
    const [row, block] = [Math.floor(i / shapes.scales[1]), i % shapes.scales[1]]
    let zero: number | undefined = bits === 8 ? 128 : 8
    if (type === "Q4_1") {
      minimum[0] = view.getUint16(i * stride + 2, true)
      zero = zeroOf(scales[i]!, fromWords(minimum, "float16")[0]!)
    }
    if (zero === undefined || !Number.isFinite(scales[i]!)) return undefined
    if (bits === 8) zeros[i] = zero
    else zeros[row * shapes.zeros[1] + (block >> 1)]! |= zero << 4 * (block & 1)
    copy(bytes.subarray(i * stride + head, (i + 1) * stride), quants.subarray(i * size, (i + 1) * size), bits)
  }
  return { blocks, matrix: { quants, scales, zeros } }
}
