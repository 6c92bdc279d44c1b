/** A picture in parts: squares of it, row by row, and the whole of it after them (Idefics3, Laurençon et al. 2024). */
import type { Picture, Size } from "./Picture.ts"
import { normalised, type Pixels, type Preprocessing, shaped, shapedSize } from "./preprocess.ts"
import { resize } from "./resample.ts"

/** Rows and columns of the squares of a picture; none of either where it stays in one piece. */
export interface Division {
  readonly rows: number
  readonly columns: number
}

/** How a picture of this size is divided. */
export const divisionOf = (size: Size, p: Preprocessing): Division => {
  const { height, width } = shapedSize(size, p)
  const side = p.split ?? Infinity
  return height > side || width > side ? { rows: height / side, columns: width / side } : { rows: 0, columns: 0 }
}

/** How many pictures an encoder takes for one. */
export const partsOf = ({ columns, rows }: Division): number => rows * columns + 1

const square = ({ data, width }: Picture, side: number, top: number, left: number): Picture => {
  const out = new Uint8Array(side * side * 3)
  for (let y = 0; y < side; y++) {
    const from = ((top + y) * width + left) * 3
    out.set(data.subarray(from, from + side * 3), y * side * 3)
  }
  return { width: side, height: side, channels: 3, data: out }
}

/** What an encoder takes of a picture: its squares, if it is divided, and then the whole of it. */
export const parts = (picture: Picture, p: Preprocessing): ReadonlyArray<Pixels> => {
  const whole = shaped(picture, p)
  const { columns, rows } = divisionOf(picture, p)
  if (p.split === undefined || rows === 0) return [normalised(whole, p)]
  const side = p.split
  const squares = Array.from(
    { length: rows * columns },
    (_, i) => square(whole, side, Math.floor(i / columns) * side, i % columns * side)
  )
  return [...squares, resize(whole, { width: side, height: side }, p.filter)].map((one) => normalised(one, p))
}
