/** An open safetensors file: the header is read once, tensors on demand. */
import * as Effect from "effect/Effect"
import { brief } from "../../../domain/brief.ts"
import * as Finite from "../../../kernels/finite.ts"
import { firstInfinite, fromWords, type Half } from "../../../kernels/half.ts"
import * as Nd from "../../../kernels/NdArray.ts"
import { FileError, type Reading, reading } from "../disk.ts"
import { survey } from "../json/text.ts"
import type { StoredTensor, Tensors } from "../tensors.ts"

export type { StoredTensor }

/** A tensor's entry in the header. */
export interface Entry {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly data_offsets: readonly [start: number, end: number]
}

/** A file whose header has been read. */
export interface TensorFile extends Tensors {
  /** Element types and shapes by name. */
  readonly entries: ReadonlyMap<string, Entry>
  readonly metadata: Readonly<Record<string, string>>
  /** Reads a float32 tensor into `data`, which has its size. */
  readonly into: (name: string, data: Float32Array) => Effect.Effect<Float32Array, FileError>
}

/** The format's own limit on the header, in bytes. */
const LONGEST_HEADER = 1e8

/** Bits per element, by type. */
const bits: ReadonlyMap<string, number> = new Map([
  ...["F4"].map((type) => [type, 4] as const),
  ...["F6_E2M3", "F6_E3M2"].map((type) => [type, 6] as const),
  ...["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((t) => [t, 8] as const),
  ...["I16", "U16", "F16", "BF16"].map((type) => [type, 16] as const),
  ...["I32", "U32", "F32"].map((type) => [type, 32] as const),
  ...["F64", "I64", "U64", "C64"].map((type) => [type, 64] as const)
])

/** Bytes per element of the types that weights can be read from. */
const widths: ReadonlyMap<string, number> = new Map([["F32", 4], ["F16", 2], ["BF16", 2]])

/** Whether weights can be read from tensors of a type. */
export const isReadable = (type: string): boolean => widths.has(type)

/** Half-precision types. */
const narrow: ReadonlyMap<string, Half> = new Map([["F16", "float16"], ["BF16", "bfloat16"]])

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** An error in a header, with its place. */
class Malformed extends Error {
  readonly place: string
  constructor(place: string, reason: string) {
    super(reason)
    this.place = place
  }
}

/** Bits of a tensor; NaN if the total or a partial product exceeds the format's limit. */
const sizeOf = (dtype: string, shape: ReadonlyArray<number>): number =>
  [...shape, bits.get(dtype)!].reduce((size, n) => size * n < 2 ** 64 ? size * n : NaN, 1)

/** Parses an entry of the header; returns a message if it is malformed. */
const entryOf = (value: unknown): Entry | string => {
  const { data_offsets: offsets, dtype, shape } = Object(value) as Readonly<Record<string, unknown>>
  if (typeof dtype !== "string" || !bits.has(dtype)) return `${brief(dtype ?? null)} is no element type of the format`
  if (!Array.isArray(shape) || !shape.every(isNatural)) return "its shape is no list of sizes"
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isNatural)) {
    return "data_offsets are no two places"
  }
  const [start, end] = offsets as [number, number]
  const size = sizeOf(dtype, shape)
  if (8 * (end - start) !== size) return `${end - start} bytes do not hold ${shape.join("x")} ${dtype}`
  return { dtype, shape, data_offsets: [start, end] }
}

/** Fails unless the tensors cover the data exactly, without gaps or overlaps. */
const checkPlaces = (entries: ReadonlyMap<string, Entry>, available: number): void => {
  const order = [...entries].toSorted(([, a], [, b]) =>
    a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]
  )
  let at = 0
  for (const [name, { data_offsets: [start, end] }] of order) {
    const place = `tensor ${name}`
    if (end > available) throw new Malformed(place, `ends at byte ${end} of ${available}: the file is truncated`)
    if (start !== at) throw new Malformed(place, `starts at byte ${start}, where ${at} is the next that is free`)
    at = end
  }
  if (at < available) throw new Malformed("header", `${available - at} bytes at the end belong to no tensor`)
}

/** Fails on values that are not finite. */
export const finite = (path: string, name: string, data: Float32Array): Effect.Effect<void, FileError> => {
  const bad = Finite.firstInfinite(data)
  return bad < 0
    ? Effect.void
    : Effect.fail(new FileError({ path, place: `tensor ${name}`, reason: `element ${bad} is ${data[bad]}` }))
}

interface Header {
  readonly metadata: Readonly<Record<string, string>>
  readonly entries: ReadonlyMap<string, Entry>
}

const METADATA = "__metadata__"

/** JSON reviver: numbers must be plain digits (else NaN), strings well-formed Unicode. */
const strict = (key: string, value: unknown, { source }: { readonly source?: string }): unknown => {
  if (!key.isWellFormed() || (typeof value === "string" && !value.isWellFormed())) {
    throw new Malformed("header", `has half a character in ${brief(key)}`)
  }
  return typeof value === "number" && !/^\d+$/.test(source ?? "") ? NaN : value
}

const parseHeader = (text: string): Header => {
  if (!text.startsWith("{")) throw new Malformed("header", "is not a JSON object: not safetensors")
  const { depth, repeated } = survey(text)
  if (depth > 3) throw new Malformed("header", "is nested deeper than the format has it")
  const json = JSON.parse(text, strict as (key: string, value: unknown) => unknown) as Readonly<Record<string, unknown>>
  if (repeated?.level === 1) throw new Malformed(`tensor ${repeated.key}`, "is there twice")
  if (repeated) throw new Malformed("header", `an entry has ${brief(repeated.key)} twice`)
  const metadata = json[METADATA] ?? {}
  const isMetadata = typeof metadata === "object" && !Array.isArray(metadata)
  if (!isMetadata || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw new Malformed(METADATA, "is no object of texts")
  }
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(json)) {
    if (name === METADATA) continue
    const entry = entryOf(value)
    if (typeof entry === "string") throw new Malformed(`tensor ${name}`, entry)
    entries.set(name, entry)
  }
  return { metadata: metadata as Header["metadata"], entries }
}

/** Reads the header, and the offset of the data. */
const readHeader = Effect.fnUntraced(function*({ into, path, size }: Reading) {
  const fail = (place: string, reason: string) => new FileError({ path, place, reason })
  if (size < 8) return yield* fail("header", "the file is truncated")
  const first = yield* into(new Uint8Array(8), 0, "header")
  const length = Number(new DataView(first.buffer).getBigUint64(0, true))
  if (8 + length > size || length > LONGEST_HEADER) {
    return yield* fail("header", "the file is truncated or not safetensors")
  }
  const bytes = yield* into(new Uint8Array(length), 8, "header")
  return yield* Effect.try({
    try: () => {
      const header = parseHeader(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))
      checkPlaces(header.entries, size - 8 - length)
      return { ...header, body: 8 + length }
    },
    catch: (cause) =>
      cause instanceof Malformed
        ? fail(cause.place, cause.message)
        : fail("header", `not JSON: ${(cause as Error).message}`)
  })
})

/** Fills the last `bytes` bytes of `data` from offset `from` of the file. */
const fill = <A extends Float32Array | Uint16Array>(
  { into }: Reading,
  data: A,
  bytes: number,
  from: number,
  place: string
) => {
  const last = data.byteOffset + data.byteLength - bytes
  return Effect.as(into(new Uint8Array(data.buffer as ArrayBuffer, last, bytes), from, place), data)
}

/** The tensors of an open file. */
export const of = Effect.fnUntraced(function*(file: Reading) {
  const { path } = file
  const { body, entries, metadata } = yield* readHeader(file)
  const half = (name: string) => narrow.get(entries.get(name)!.dtype)
  const whereIs = (name: string) => {
    const { data_offsets: [start, end], dtype, shape } = entries.get(name)!
    return { bytes: end - start, count: Nd.size(shape), dtype, from: body + start, place: `tensor ${name}`, shape }
  }
  const words = Effect.fnUntraced(function*(name: string) {
    const { bytes, count, from, place } = whereIs(name)
    const data = yield* fill(file, new Uint16Array(count), bytes, from, place)
    const bad = firstInfinite(data, half(name)!)
    if (bad < 0) return data
    const reason = `element ${bad} is ${fromWords(data.slice(bad, bad + 1), half(name)!)[0]}`
    return yield* new FileError({ path, place, reason })
  })
  /** Half-precision bits are first read into the second half of the float32 array, then widened in place. */
  const read = Effect.fnUntraced(function*(name: string) {
    const { bytes, count, dtype, from, place, shape } = whereIs(name)
    if (!widths.has(dtype)) {
      const reason = `element type ${dtype} is not one of ${[...widths.keys()].join(", ")}`
      return yield* new FileError({ path, place, reason })
    }
    const data = yield* fill(file, new Float32Array(count), bytes, from, place)
    const type = half(name)
    if (type) fromWords(new Uint16Array(data.buffer, bytes), type, data)
    yield* finite(path, name, data)
    return { shape, data } satisfies StoredTensor as StoredTensor
  })
  const into = Effect.fnUntraced(function*(name: string, data: Float32Array) {
    const { bytes, from, place } = whereIs(name)
    yield* fill(file, data, bytes, from, place)
    yield* finite(path, name, data)
    return data
  })
  const type = (name: string) => entries.get(name)!.dtype
  return { path, entries, metadata, read, into, half, type, words } satisfies TensorFile as TensorFile
})

/** Open until the scope ends. */
export const open = (path: string) => Effect.flatMap(reading(path), of)
