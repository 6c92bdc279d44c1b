/**
 * The order of rows of llama's queries and keys. RoPE turns pairs of dimensions: in Hugging Face's state dicts the two of a
 * pair are half a head apart, in GGUF they are neighbours.
 */

/** Row of a state dict that is row `i` of a head of `size` rows in GGUF. */
const storedRow = (i: number, size: number): number => (i >> 1) + (i & 1) * (size / 2)

/** Copies rows, for each its place in one order and in the other. */
const copied = <A extends Float32Array | Uint8Array<ArrayBuffer>>(
  from: A,
  to: A,
  rows: number,
  heads: number,
  undoes: boolean
): A => {
  const [size, width] = [rows / heads, from.length / rows]
  for (let row = 0; row < rows; row++) {
    const i = row % size
    const stored = row - i + storedRow(i, size)
    const [source, target] = undoes ? [row, stored] : [stored, row]
    to.set(from.subarray(source * width, (source + 1) * width), target * width)
  }
  return to
}

/** Bytes of rows in the order of a state dict, from GGUF's. */
export const unturned = (bytes: Uint8Array<ArrayBuffer>, rows: number, heads: number): Uint8Array<ArrayBuffer> =>
  copied(bytes, new Uint8Array(bytes.length), rows, heads, true)

/** Values of rows in GGUF's order, from that of a state dict. */
export const turned = (data: Float32Array, rows: number, heads: number): Float32Array =>
  copied(data, new Float32Array(data.length), rows, heads, false)
