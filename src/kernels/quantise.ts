/**
 * Matrices as small integers in blocks: w = scale · (q - zero), one scale and one zero point for each block of a row, in the
 * layout of ONNX Runtime's `MatMulNBits`; or w = scale · (q - zero) + offset, where 0 need be no multiple of the scale.
 */

/** How a matrix is quantised. */
export interface Blocks {
  /** Bits of an integer q: 0..15 or 0..255. */
  readonly bits: 4 | 8
  /** Columns that share a scale, a power of two from 16 to 256; the last block of a row may be filled in part. */
  readonly size: number
  /** Whether each block has an offset, that is added to its values. */
  readonly shifted?: boolean
}

/** A quantised matrix [rows, columns], all parts row-major. */
export interface Quantised {
  /** Integers [rows, blocks, size · bits / 8]; of two in a byte, the lower half comes first. */
  readonly quants: Uint8Array
  /** [rows, blocks] */
  readonly scales: Float32Array
  /** Zero points [rows, ⌈blocks · bits / 8⌉], packed as the integers are. */
  readonly zeros: Uint8Array
  /** Offsets [rows, blocks], if blocks are shifted. */
  readonly offsets?: Float32Array
}

/** Shapes of the parts of a quantised matrix. */
export const partShapes = ({ bits, size }: Blocks, rows: number, columns: number) => {
  const blocks = Math.ceil(columns / size)
  return {
    quants: [rows, blocks, size * bits / 8],
    scales: [rows, blocks],
    zeros: [rows, Math.ceil(blocks * bits / 8)],
    offsets: [rows, blocks]
  } as const
}

/** The i-th integer of packed bytes. */
const unpacked = (bytes: ArrayLike<number>, bits: 4 | 8, i: number): number =>
  bits === 8 ? bytes[i]! : (bytes[i >> 1]! >> 4 * (i & 1)) & 15

/** Writes the i-th integer of packed bytes, which was 0. */
const pack = (bytes: Uint8Array, bits: 4 | 8, i: number, value: number): void => {
  if (bits === 8) bytes[i] = value
  else bytes[i >> 1]! |= value << 4 * (i & 1)
}

/** Largest difference between an element and its quantised value. */
export interface Error {
  readonly error: number
}

/** A quantised matrix with all parts 0, to be written block by block. */
const empty = (blocks: Blocks, rows: number, columns: number): Quantised => {
  const { quants, scales, zeros } = partShapes(blocks, rows, columns)
  return {
    quants: new Uint8Array(quants[0] * quants[1] * quants[2]),
    scales: new Float32Array(scales[0] * scales[1]),
    zeros: new Uint8Array(zeros[0] * zeros[1])
  }
}

/** Scale and zero point for values between `low` and `high`. */
type Rule = (low: number, high: number, most: number) => readonly [scale: number, zero: number]

/** 0 in the middle: the greater of both magnitudes is reached. */
const symmetric: Rule = (low, high, most) => [
  Math.fround(Math.max(-low, high) / (most >> 1)),
  (most >> 1) + 1
]
/** The whole range of integers is used; 0 is one of the values. */
const asymmetric: Rule = (low, high, most) => {
  const [least, greatest] = [Math.min(0, low), Math.max(0, high)]
  const scale = Math.fround(greatest / most - least / most)
  return [scale, scale === 0 ? 0 : Math.min(most, Math.round(-least / scale))]
}

/** How a block's scale and zero point are chosen. */
export const rules = { symmetric, asymmetric } as const

/**
 * Rounds each element of a finite matrix to the nearest value of its block. No element is off by more than half its
 * block's scale, up to rounding in float32; the scale is the greatest magnitude / (2^(bits - 1) - 1) by the symmetric
 * rule, and the range of the block's values and 0 / (2^bits - 1) by the other. `error` is the largest difference.
 */
export const quantise = (
  data: Float32Array,
  columns: number,
  blocks: Blocks,
  rule: keyof typeof rules
): Quantised & Error => {
  const { bits, size } = blocks
  const [rows, most] = [data.length / columns, 2 ** bits - 1]
  const made = empty(blocks, rows, columns)
  const perRow = Math.ceil(columns / size)
  const zerosPerRow = Math.ceil(perRow * bits / 8) * 8 / bits
  let error = 0
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < perRow; block++) {
      const from = row * columns + block * size
      const count = Math.min(size, columns - block * size)
      let [low, high] = [Infinity, -Infinity]
      for (let i = from; i < from + count; i++) {
        if (data[i]! < low) low = data[i]!
        if (data[i]! > high) high = data[i]!
      }
      const [scale, zero] = rules[rule](low, high, most)
      made.scales[row * perRow + block] = scale
      pack(made.zeros, bits, row * zerosPerRow + block, zero)
      const start = (row * perRow + block) * size
      for (let i = 0; i < count; i++) {
        const x = data[from + i]!
        const q = scale === 0 ? zero : Math.min(most, Math.max(0, Math.round(x / scale) + zero))
        pack(made.quants, bits, start + i, q)
        error = Math.max(error, Math.abs(x - scale * (q - zero)))
      }
    }
  }
  return { ...made, error }
}

/** The parts of a quantised matrix as any arrays of numbers. */
type Parts = { readonly [P in keyof Quantised]: ArrayLike<number> }

/** Calls `visit` with each value w = scale · (q - zero) + offset of a row, in order. */
export const eachOf = (
  { offsets, quants, scales, zeros }: Parts,
  row: number,
  columns: number,
  { bits, size }: Blocks,
  visit: (value: number, column: number) => void
): void => {
  const perRow = Math.ceil(columns / size)
  const zerosPerRow = Math.ceil(perRow * bits / 8) * 8 / bits
  for (let column = 0; column < columns; column++) {
    const block = Math.floor(column / size)
    const q = unpacked(quants, bits, row * perRow * size + column)
    const zero = unpacked(zeros, bits, row * zerosPerRow + block)
    visit(scales[row * perRow + block]! * (q - zero) + (offsets?.[row * perRow + block] ?? 0), column)
  }
}

/** A quantised matrix as float32, [rows, columns]. */
export const dequantise = (parts: Parts, columns: number, blocks: Blocks): Float32Array => {
  const rows = parts.scales.length / Math.ceil(columns / blocks.size)
  const data = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    eachOf(parts, row, columns, blocks, (value, column) => data[row * columns + column] = value)
  }
  return data
}
