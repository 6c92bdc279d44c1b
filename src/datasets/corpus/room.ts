/** Typed arrays that grow. */

type Growing = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/**
 * The array itself where it has room for so many elements, else one with twice the room that has its memory: the array,
 * which must have a buffer of its own, is empty from then on.
 */
export const withRoom = <A extends Growing>(array: A, length: number): A => {
  if (length <= array.length) return array
  const bytes = Math.max(length, 2 * array.length) * array.BYTES_PER_ELEMENT
  return new (array.constructor as new(buffer: ArrayBuffer) => A)(array.buffer.transfer(bytes))
}
