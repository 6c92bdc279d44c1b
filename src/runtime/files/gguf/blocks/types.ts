/** The element types of GGUF tensors: how values are laid out in blocks, and how blocks become float32. */
import { fromWords } from "../../../../kernels/half.ts"
import * as Blocks from "./dequantise.ts"
import * as SuperBlocks from "./dequantiseK.ts"

/** A type whose tensors are read. */
export interface TensorType {
  readonly name: string
  /** Values per block; blocks do not cross the rows of a tensor. */
  readonly block: number
  /** Bytes per block. */
  readonly bytes: number
  /** Decodes whole blocks to as many float32 values as they hold, in the order of the tensor. */
  readonly decode: (bytes: Uint8Array, data: Float32Array) => void
}

const words = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)

/** The types that are read, by their number in a file. */
export const types: ReadonlyMap<number, TensorType> = new Map([
  [0, {
    name: "F32",
    block: 1,
    bytes: 4,
    decode: (bytes, data) => data.set(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
  }],
  [1, { name: "F16", block: 1, bytes: 2, decode: (bytes, data) => void fromWords(words(bytes), "float16", data) }],
  [30, { name: "BF16", block: 1, bytes: 2, decode: (bytes, data) => void fromWords(words(bytes), "bfloat16", data) }],
  [2, { name: "Q4_0", block: 32, bytes: 18, decode: Blocks.q4_0 }],
  [3, { name: "Q4_1", block: 32, bytes: 20, decode: Blocks.q4_1 }],
  [6, { name: "Q5_0", block: 32, bytes: 22, decode: Blocks.q5_0 }],
  [7, { name: "Q5_1", block: 32, bytes: 24, decode: Blocks.q5_1 }],
  [8, { name: "Q8_0", block: 32, bytes: 34, decode: Blocks.q8_0 }],
  [20, { name: "IQ4_NL", block: 32, bytes: 18, decode: Blocks.iq4_nl }],
  [10, { name: "Q2_K", block: 256, bytes: 84, decode: SuperBlocks.q2_K }],
  [11, { name: "Q3_K", block: 256, bytes: 110, decode: SuperBlocks.q3_K }],
  [12, { name: "Q4_K", block: 256, bytes: 144, decode: SuperBlocks.q4_K }],
  [13, { name: "Q5_K", block: 256, bytes: 176, decode: SuperBlocks.q5_K }],
  [14, { name: "Q6_K", block: 256, bytes: 210, decode: SuperBlocks.q6_K }]
])

/** Names of the types that are not read, by their number. */
const others: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [9, "Q8_1"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
  [40, "NVFP4"],
  [41, "Q1_0"]
])

/** A type's name, for messages. */
export const nameOf = (id: number): string => types.get(id)?.name ?? others.get(id) ?? `number ${id}`

/** A type by its name. */
export const named = (name: string): readonly [id: number, type: TensorType] =>
  [...types].find(([, type]) => type.name === name)!
