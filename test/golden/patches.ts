/** Pictures of reference files as patches. */
import { unfold } from "../../src/domain/pictures/preprocess.ts"
import * as Nd from "../../src/kernels/NdArray.ts"
import { constant, type Tensor } from "../../src/kernels/Tensor.ts"
import type * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { gridOf } from "../../src/runtime/files/vision/config.ts"

/** Patches of pictures [b, 3, height, width]. */
export const patchesOf = ({ data, shape }: Safetensors.StoredTensor, side: number): Tensor => {
  const [b, , height, width] = shape as [number, number, number, number]
  const [rows, columns] = gridOf({ height, width }, side)
  const patches = new Float32Array(b * rows * columns * 3 * side * side)
  for (let i = 0; i < b; i++) {
    const one = Float32Array.from(data.slice(i * 3 * height * width, (i + 1) * 3 * height * width))
    patches.set(unfold({ width, height, data: one }, side), i * patches.length / b)
  }
  return constant(Nd.fromArray([b, rows * columns, 3 * side * side], patches))
}
