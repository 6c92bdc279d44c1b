/** Learned positions on a grid of patches, brought to another grid as PyTorch interpolates: bicubic, without antialiasing. */
import type * as Nd from "../../NdArray.ts"
import { reshape } from "../../op/broadcast.ts"
import { matmul, transpose } from "../../op/contract.ts"
import { constant, type Tensor } from "../../Tensor.ts"

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number]

/** Number of patches. */
export const area = ([rows, columns]: Grid): number => rows * columns

/** Keys' cubic kernel with a = -0.75; Pillow's for pictures has -0.5. */
const cubic = (distance: number): number => {
  const [a, t] = [-0.75, Math.abs(distance)]
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0
}

/** What each of `to` places takes of `from` places along an axis, whose ends go on beyond it: [to, from]. */
export const cubicWeights = (from: number, to: number): Nd.NdArray => {
  const data = new Float64Array(to * from)
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * from / to - 0.5
    const first = Math.floor(center)
    for (let k = first - 1; k <= first + 2; k++) {
      data[i * from + Math.min(Math.max(k, 0), from - 1)]! += cubic(center - k)
    }
  }
  return { shape: [to, from], data }
}

/** Positions [rows · columns, size] of one grid on another, row by row; themselves if the grids are equal. */
export const interpolated = (positions: Tensor, from: Grid, to: Grid): Tensor => {
  if (from.join() === to.join()) return positions
  const size = positions.type.shape[1]!
  const [[rows, columns], [high, wide]] = [from, to]
  const byRow = matmul(constant(cubicWeights(rows, high)), reshape(positions, [rows, columns * size]))
  const turned = reshape(transpose(reshape(byRow, [high, columns, size]), [1, 0, 2]), [columns, high * size])
  const byColumn = matmul(constant(cubicWeights(columns, wide)), turned)
  return reshape(transpose(reshape(byColumn, [wide, high, size]), [1, 0, 2]), [high * wide, size])
}
