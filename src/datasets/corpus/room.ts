/** Growable typed arrays. */

type Growing = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/**
 * The array itself if it has room for `length` elements, or else an array of twice the room that takes over its
 * memory: the old array, which must own its buffer, is empty afterwards.
 */
export const withRoom = <A extends Growing>(array: A, length: number): A => {
  if (length <= array.length) return array
  const bytes = Math.max(length, 2 * array.length) * array.BYTES_PER_ELEMENT
  return new (array.constructor as new(buffer: ArrayBuffer) => A)(array.buffer.transfer(bytes))
}
