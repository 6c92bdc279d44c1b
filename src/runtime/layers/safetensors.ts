/** The safetensors format: an 8-byte length, a JSON header of names, types, shapes and offsets, then the bytes. */
import * as Effect from "effect/Effect"
import * as TensorFile from "./tensorFile.ts"
import type { StoredTensor } from "./tensorFile.ts"

export type { StoredTensor }
export type StoredTensors = ReadonlyMap<string, StoredTensor>

/** A tensor as the header tells of it. */
export interface Entry {
  readonly name: string
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly bytes: number
}

/** What comes before the tensors, whose order is that of the entries; padded to 8 bytes. */
export const header = (entries: ReadonlyArray<Entry>, metadata: Readonly<Record<string, string>>): Uint8Array => {
  let end = 0
  const told = entries.map(({ bytes, dtype, name, shape }) => {
    const data_offsets = [end, end += bytes]
    return [name, { dtype, shape, data_offsets }] as const
  })
  const json = JSON.stringify({ __metadata__: { format: "pt", ...metadata }, ...Object.fromEntries(told) })
  const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8))
  const bytes = new Uint8Array(8 + text.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

export const byName = (a: { readonly name: string }, b: { readonly name: string }): number => a.name < b.name ? -1 : 1

/** Tensors sorted by name, float32, little-endian: equal tensors make equal bytes. */
export const encode = (tensors: StoredTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array => {
  const sorted = [...tensors].map(([name, { data, shape }]) => ({
    name,
    dtype: "F32",
    shape,
    bytes: data.byteLength,
    data
  }))
    .toSorted(byName)
  const head = header(sorted, metadata)
  const bytes = new Uint8Array(sorted.reduce((n, t) => n + t.bytes, head.length))
  bytes.set(head)
  let at = head.length
  for (const { data } of sorted) {
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
