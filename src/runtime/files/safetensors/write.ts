/** Writes safetensors: 8-byte length, JSON header (names, types, shapes, offsets), tensor data. */
import * as Effect from "effect/Effect"
import * as Nd from "../../../kernels/NdArray.ts"
import { writing as bytesInto } from "../disk.ts"
import * as TensorFile from "./read.ts"
import type { StoredTensor } from "./read.ts"

export type { StoredTensor }
/** Tensors by name. */
export type StoredTensors = ReadonlyMap<string, StoredTensor>

/** A tensor's entry in the header. */
export interface Entry {
  readonly name: string
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly bytes: number
}

/** The bytes before the tensor data, padded to 8 bytes; tensors follow in the order of the entries. */
export const header = (entries: ReadonlyArray<Entry>, metadata: Readonly<Record<string, string>>): Uint8Array => {
  let end = 0
  const told = entries.map(({ bytes, dtype, name, shape }) => {
    const data_offsets = [end, end += bytes]
    return [name, { dtype, shape, data_offsets }] as const
  })
  const json = JSON.stringify({ __metadata__: { format: "pt", ...metadata }, ...Object.fromEntries(told) })
  const text = new TextEncoder().encode(json)
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20, 8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true)
  bytes.set(text, 8)
  return bytes
}

/** Compares names by UTF-16 code units. */
export const byName = (a: { readonly name: string }, b: { readonly name: string }): number => a.name < b.name ? -1 : 1

type Metadata = Readonly<Record<string, string>>

type Shaped = Pick<StoredTensor, "shape"> & { readonly name: string }

const entriesOf = (tensors: ReadonlyArray<Shaped>): ReadonlyArray<Entry> =>
  tensors.map(({ name, shape }) => ({ name, dtype: "F32", shape, bytes: 4 * Nd.size(shape) }))

/** Float32 tensors sorted by name, and their header: equal tensors give equal bytes. */
const layout = (tensors: StoredTensors, metadata: Metadata) => {
  const sorted = [...tensors].map(([name, { data, shape }]) => ({ name, data, shape })).toSorted(byName)
  return { head: header(entriesOf(sorted), metadata), sorted }
}

const bytesOf = ({ buffer, byteLength, byteOffset }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Size in bytes of a file of these tensors. */
export const size = (tensors: StoredTensors, metadata: Metadata = {}): number => {
  const { head, sorted } = layout(tensors, metadata)
  return sorted.reduce((n, { data }) => n + data.byteLength, head.length)
}

/** A small file as bytes. */
export const encode = (tensors: StoredTensors, metadata: Metadata = {}): Uint8Array => {
  const { head, sorted } = layout(tensors, metadata)
  return new Uint8Array(Buffer.concat([head, ...sorted.map(({ data }) => bytesOf(data))]))
}

/**
 * A new file of any size, to which tensors are added in the order of `tensors`; finishing returns its SHA-256. Fails on
 * values that are not finite, as reading would.
 */
export const writing = Effect.fnUntraced(
  function*(path: string, tensors: ReadonlyArray<Shaped>, metadata: Metadata = {}) {
    const { add, finish } = yield* bytesInto(path)
    yield* add(header(entriesOf(tensors), metadata))
    let next = 0
    return {
      add: Effect.fnUntraced(function*(data: Float32Array) {
        yield* TensorFile.finite(path, tensors[next++]!.name, data)
        yield* add(bytesOf(data))
      }),
      finish
    }
  }
)

/** Writes a new file without copying the tensors; returns its SHA-256. */
export const write = Effect.fnUntraced(function*(path: string, tensors: StoredTensors, metadata: Metadata = {}) {
  const { sorted } = layout(tensors, metadata)
  const { add, finish } = yield* writing(path, sorted, metadata)
  for (const { data } of sorted) yield* add(data)
  return yield* finish
}, Effect.scoped)

/** Reads all tensors of a file, and its metadata. */
export const open = Effect.fnUntraced(function*(path: string) {
  const file = yield* TensorFile.open(path)
  const tensors = new Map<string, StoredTensor>()
  for (const name of file.entries.keys()) tensors.set(name, yield* file.read(name))
  return { metadata: file.metadata, tensors: tensors as StoredTensors }
}, Effect.scoped)

/** Reads all tensors of a file as float32. */
export const read = (path: string) => Effect.map(open(path), ({ tensors }) => tensors)
