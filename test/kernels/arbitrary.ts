/** Values for the laws: NdArrays drawn from an op's stated ranges. */
import * as fc from "fast-check"
import * as Nd from "../../src/kernels/NdArray.ts"
import type { Law, Range, Shape } from "../../src/kernels/Tensor.ts"

/** Reals are drawn from a fine grid: fast-check's own doubles crowd at the ends of a range, where ops have kinks. */
const GRID = 2 ** 24

const element = (range: Range): fc.Arbitrary<number> => {
  switch (range.dtype) {
    case "float32":
      return fc.noBias(fc.integer({ min: 0, max: GRID })).map((i) =>
        Math.fround(range.low + (range.high - range.low) * i / GRID)
      )
    case "int32":
    case "uint16":
    case "uint8":
      return fc.integer({ min: range.low, max: range.high - 1 })
    case "bool":
      return fc.integer({ min: 0, max: 1 })
  }
}

export const array = (shape: Shape, range: Range): fc.Arbitrary<Nd.NdArray> =>
  fc.array(element(range), { minLength: Nd.size(shape), maxLength: Nd.size(shape) })
    .map((values) => Nd.fromArray(shape, values))

/** One value for each operand of a law's case. */
export const operands = (law: Law<any>, shapes: ReadonlyArray<Shape>): fc.Arbitrary<ReadonlyArray<Nd.NdArray>> =>
  fc.tuple(...shapes.map((shape, i) => array(shape, law.ranges[i]!)))
