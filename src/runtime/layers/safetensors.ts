/** The safetensors format: an 8-byte length, a JSON header of names, types, shapes and offsets, then the bytes. */
import * as Effect from "effect/Effect"
import * as TensorFile from "./tensorFile.ts"
import type { StoredTensor } from "./tensorFile.ts"

export type { StoredTensor }
export type StoredTensors = ReadonlyMap<string, StoredTensor>

/** Tensors sorted by name, float32, little-endian, the header padded to 8 bytes: equal tensors make equal bytes. */
export const encode = (tensors: StoredTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array => {
  const sorted = [...tensors].toSorted(([a], [b]) => a < b ? -1 : 1)
  let end = 0
  const entries = sorted.map(([name, { data, shape }]) => {
    const data_offsets = [end, end += data.byteLength]
    return [name, { dtype: "F32", shape, data_offsets }] as const
  })
  const json = JSON.stringify({ __metadata__: { format: "pt", ...metadata }, ...Object.fromEntries(entries) })
  const header = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8))
  const bytes = new Uint8Array(8 + header.length + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, 8)
  let at = 8 + header.length
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return bytes
}

/** All tensors of a file, and what it tells of itself. */
export const open = Effect.fnUntraced(function*(path: string) {
  const file = yield* TensorFile.open(path)
  const tensors = new Map<string, StoredTensor>()
  for (const name of file.entries.keys()) tensors.set(name, yield* file.read(name))
  return { metadata: file.metadata, tensors: tensors as StoredTensors }
}, Effect.scoped)

export const read = (path: string) => Effect.map(open(path), ({ tensors }) => tensors)
