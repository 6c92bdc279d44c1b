/** The identity of the weights that compute an index's vectors. */
import type { Arrays } from "../../engine/Weights.ts"
import { sha256Of } from "../../files/disk.ts"

/** SHA-256 of names and values, independent of their order. */
export const hashOf = (weights: Arrays): string =>
  sha256Of(
    [...weights].toSorted(([a], [b]) => a < b ? -1 : 1).flatMap(([name, data]) => [
      name,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    ])
  )
