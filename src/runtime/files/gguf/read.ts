/** An open GGUF file: the header is read once, tensors on demand. */
import * as Effect from "effect/Effect"
import * as Nd from "../../../kernels/NdArray.ts"
import { type FileError, type Reading, reading } from "../disk.ts"
import { finite, type StoredTensor } from "../safetensors/read.ts"
import type { TensorType } from "./blocks/types.ts"
import { type Header, readHeader } from "./header.ts"

/** A file whose header has been read. */
export interface GgufFile extends Header {
  readonly path: string
  /** A tensor's bytes as they are in the file: its blocks, row after row. */
  readonly blocks: (name: string) => Effect.Effect<Uint8Array<ArrayBuffer>, FileError>
  /** A tensor's values as float32. Fails on values that are not finite. */
  readonly read: (name: string) => Effect.Effect<StoredTensor, FileError>
}

/** Blocks as float32: of F32 the same memory. */
export const decoded = ({ decode, name }: TensorType, bytes: Uint8Array<ArrayBuffer>, count: number): Float32Array => {
  if (name === "F32") return new Float32Array(bytes.buffer, bytes.byteOffset, count)
  const data = new Float32Array(count)
  decode(bytes, data)
  return data
}

/** The tensors of an open file. */
export const of = Effect.fnUntraced(function*(file: Reading) {
  const { path } = file
  const header = yield* readHeader(file)
  const blocks = (name: string) => {
    const { bytes, from } = header.tensors.get(name)!
    return file.into(new Uint8Array(bytes), from, `tensor ${name}`)
  }
  const read = Effect.fnUntraced(function*(name: string) {
    const { shape, type } = header.tensors.get(name)!
    const data = decoded(type, yield* blocks(name), Nd.size(shape))
    yield* finite(path, name, data)
    return { shape, data } satisfies StoredTensor as StoredTensor
  })
  return { ...header, path, blocks, read } satisfies GgufFile as GgufFile
})

/** Open until the scope ends. */
export const open = (path: string) => Effect.flatMap(reading(path), of)
