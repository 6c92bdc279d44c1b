/** What weights are read from: the tensors of a file, by name, whatever its format. */
import type * as Effect from "effect/Effect"
import type { Half } from "../../kernels/half.ts"
import type { FileError } from "./disk.ts"

/** A tensor's values, row-major, as float32. */
export interface StoredTensor {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

/** A tensor whose file has it in blocks of a few bits a value. */
export interface Blocks {
  /** The type of the blocks, by its name in GGUF: "Q4_0". */
  readonly type: string
  /** Bits of a value, scales included. */
  readonly bits: number
  readonly shape: ReadonlyArray<number>
  /** Reads the blocks, row after row, in the order of the tensor's values. */
  readonly bytes: Effect.Effect<Uint8Array<ArrayBuffer>, FileError>
}

/** The tensors of a file, read one at a time. */
export interface Tensors {
  readonly path: string
  /** A tensor's values as float32. Fails on values that are not finite. */
  readonly read: (name: string) => Effect.Effect<StoredTensor, FileError>
  /** The half-precision type of a tensor, if it has one. */
  readonly half: (name: string) => Half | undefined
  /** The element type of a tensor in the format's own notation ("I64"), where the format has such types. */
  readonly type?: (name: string) => string
  /** The half-precision bits of such a tensor. */
  readonly words: (name: string) => Effect.Effect<Uint16Array, FileError>
  /** The blocks of a tensor, if it has them; of formats without such types there are none. */
  readonly blocks?: (name: string) => Blocks | undefined
}
