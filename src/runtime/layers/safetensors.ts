/** The safetensors format: an 8-byte length, a JSON header of names, types, shapes and offsets, then the bytes. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { FileError, readBytes } from "./files.ts"

export interface StoredTensor {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}
export type StoredTensors = ReadonlyMap<string, StoredTensor>

const Entry = Schema.Struct({
  dtype: Schema.String,
  shape: Schema.Array(Schema.Natural),
  data_offsets: Schema.Tuple([Schema.Natural, Schema.Natural])
})
const decodeHeader = Schema.decodeUnknownSync(Schema.Record(Schema.String, Entry))

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

const half = (bits: number): number => {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const widths: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 }

/** Values of any stored float type as float32. */
const widen = (dtype: string, bytes: Uint8Array): Float32Array => {
  const aligned = bytes.slice().buffer
  if (dtype === "F32") return new Float32Array(aligned)
  const words = new Uint16Array(aligned)
  if (dtype === "F16") return Float32Array.from(words, half)
  const bits = Uint32Array.from(words, (word) => word << 16)
  return new Float32Array(bits.buffer)
}

/** What is wrong with an entry, if anything. */
const fault = ({ data_offsets, dtype, shape }: typeof Entry.Type, available: number): string | undefined => {
  const [start, end] = data_offsets
  const width = widths[dtype]
  if (width === undefined) return `element type ${dtype} is not one of ${Object.keys(widths).join(", ")}`
  if (end > available) return `ends at byte ${end} of ${available}: the file is truncated`
  const size = shape.reduce((a, b) => a * b, 1)
  return end - start === size * width ? undefined : `${end - start} bytes do not hold ${shape.join("x")} ${dtype}`
}

const parse = (path: string, bytes: Uint8Array): StoredTensors => {
  const fail = (place: string, reason: string) => new FileError({ path, place, reason })
  if (bytes.length < 8) throw fail("header", "the file is truncated")
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (8 + length > bytes.length) throw fail("header", "the file is truncated or not safetensors")
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, unknown>
  delete header["__metadata__"]
  const body = bytes.subarray(8 + length)
  return new Map(
    Object.entries(decodeHeader(header)).map(([name, entry]) => {
      const wrong = fault(entry, body.length)
      if (wrong) throw fail(`tensor ${name}`, wrong)
      const data = widen(entry.dtype, body.subarray(...entry.data_offsets))
      const at = data.findIndex((value) => !Number.isFinite(value))
      if (at >= 0) throw fail(`tensor ${name}`, `element ${at} is ${data[at]}`)
      return [name, { shape: entry.shape, data }]
    })
  )
}

export const read = (path: string): Effect.Effect<StoredTensors, FileError, FileSystem.FileSystem> =>
  Effect.flatMap(readBytes(path), (bytes) =>
    Effect.try({
      try: () => parse(path, bytes),
      catch: (cause) =>
        cause instanceof FileError ? cause : new FileError({ path, place: "header", reason: String(cause) })
    }))
