/** Arrays of the reference interpreter: row-major float64. */

/** An array: its shape, and its elements in row-major order. */
export interface NdArray {
  readonly shape: ReadonlyArray<number>
  readonly data: Float64Array
}

/** Number of elements. */
export const size = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

/** Row-major strides. */
export const strides = (shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  shape.map((_, axis) => size(shape.slice(axis + 1)))

/** Visits every index of `shape` in row-major order; `index` is reused between calls. */
export const forEach = (
  shape: ReadonlyArray<number>,
  visit: (index: ReadonlyArray<number>, flat: number) => void
): void => {
  const index = shape.map(() => 0)
  const count = size(shape)
  for (let flat = 0; flat < count; flat++) {
    visit(index, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
  }
}

/** The array whose element at `index` is `at(index, flat)`. */
export const make = (
  shape: ReadonlyArray<number>,
  at: (index: ReadonlyArray<number>, flat: number) => number
): NdArray => {
  const data = new Float64Array(size(shape))
  forEach(shape, (index, flat) => {
    data[flat] = at(index, flat)
  })
  return { shape, data }
}

/** A zero-dimensional array. */
export const scalar = (value: number): NdArray => ({ shape: [], data: Float64Array.of(value) })

/** An array of this shape from row-major values, which are copied. */
export const fromArray = (shape: ReadonlyArray<number>, values: ArrayLike<number>): NdArray => ({
  shape,
  data: Float64Array.from(values)
})

/** The element of `array` at `index`, read as if the array were broadcast to the index's rank. */
export const get = (array: NdArray, index: ReadonlyArray<number>): number => {
  const skip = index.length - array.shape.length
  let flat = 0
  for (let axis = 0; axis < array.shape.length; axis++) {
    const dim = array.shape[axis]!
    flat = flat * dim + (dim === 1 ? 0 : index[axis + skip]!)
  }
  return array.data[flat]!
}

/** Maps the rows along the last axis: `f(row, out, r)` fills `out` from row number `r`. */
export const mapRows = (
  x: NdArray,
  f: (row: Float64Array, out: Float64Array, r: number) => void
): NdArray => {
  const width = x.shape.at(-1)!
  const data = new Float64Array(x.data.length)
  for (let r = 0; r * width < data.length; r++) {
    f(x.data.subarray(r * width, (r + 1) * width), data.subarray(r * width, (r + 1) * width), r)
  }
  return { shape: x.shape, data }
}
