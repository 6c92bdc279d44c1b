/** A safetensors file held open: its header is read once, its tensors one at a time from where they lie. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Finite from "../../kernels/finite.ts"
import { firstInfinite, fromWords, type Half } from "../../kernels/half.ts"
import * as Nd from "../../kernels/NdArray.ts"
import { FileError, located } from "./files.ts"

export interface StoredTensor {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

const Entry = Schema.Struct({
  dtype: Schema.String,
  shape: Schema.Array(Schema.Natural),
  data_offsets: Schema.Tuple([Schema.Natural, Schema.Natural])
})
type Entry = typeof Entry.Type
const decodeHeader = Schema.decodeUnknownSync(Schema.Record(Schema.String, Entry))

export interface TensorFile {
  readonly path: string
  /** Element types and shapes by name. */
  readonly entries: ReadonlyMap<string, Entry>
  readonly metadata: Readonly<Record<string, string>>
  /** A tensor's values as float32; takes no memory but theirs. */
  readonly read: (name: string) => Effect.Effect<StoredTensor, FileError>
  /** The type of a tensor that is stored in 16 bits. */
  readonly half: (name: string) => Half | undefined
  /** The words of such a tensor, as they are stored. */
  readonly words: (name: string) => Effect.Effect<Uint16Array, FileError>
}

/** Bytes a system call reads at most. */
const MOST = 2 ** 30
/** No header is longer (the format's own limit): what claims to be is something else. */
const LONGEST_HEADER = 1e8

const widths: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 }

/** Types of half the width. */
const narrow: Readonly<Record<string, Half>> = { F16: "float16", BF16: "bfloat16" }

/** What is wrong with the place of an entry, if anything. */
const misplaced = ({ data_offsets, dtype, shape }: Entry, available: number): string | undefined => {
  const [start, end] = data_offsets
  if (end > available) return `ends at byte ${end} of ${available}: the file is truncated`
  const bytes = shape.reduce((a, b) => a * b, widths[dtype] ?? NaN)
  return Number.isNaN(bytes) || end - start === bytes
    ? undefined
    : `${end - start} bytes do not hold ${shape.join("x")} ${dtype}`
}

interface Header {
  readonly metadata: Readonly<Record<string, string>>
  readonly entries: ReadonlyMap<string, Entry>
}

const parseHeader = (bytes: Uint8Array): Header => {
  const { __metadata__: metadata = {}, ...rest } = JSON.parse(new TextDecoder().decode(bytes)) as Record<
    string,
    unknown
  >
  return { metadata: metadata as Header["metadata"], entries: new Map(Object.entries(decodeHeader(rest))) }
}

/** A file by places: fills an array from a byte on, or says that the file ends. */
class Places {
  readonly path: string
  private readonly handle: FileSystem.File
  constructor(path: string, handle: FileSystem.File) {
    this.path = path
    this.handle = handle
  }
  fail(place: string, reason: string): FileError {
    return new FileError({ path: this.path, place, reason })
  }
  readonly size = Effect.suspend(() =>
    Effect.map(this.handle.stat, ({ size }) => Number(size)).pipe(located(this.path))
  )
  readonly readInto = Effect.fnUntraced({ self: this }, function*(bytes: Uint8Array, from: number, place: string) {
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.subarray(at, at + MOST)
      const got = yield* this.handle.read(rest, { position: BigInt(from + at) }).pipe(located(this.path))
      if (got === 0) return yield* this.fail(place, "the file is truncated")
      at += got
    }
    return bytes
  })
}

/** The header, and the byte after it. */
const readHeader = Effect.fnUntraced(function*(places: Places) {
  const size = yield* places.size
  const truncated = (what: string) => places.fail("header", `the file is truncated${what}`)
  if (size < 8) return yield* truncated("")
  const first = yield* places.readInto(new Uint8Array(8), 0, "header")
  const length = Number(new DataView(first.buffer).getBigUint64(0, true))
  if (8 + length > size || length > LONGEST_HEADER) return yield* truncated(" or not safetensors")
  const bytes = yield* places.readInto(new Uint8Array(length), 8, "header")
  const header = yield* Effect.try({
    try: () => parseHeader(bytes),
    catch: (cause) => places.fail("header", String(cause))
  })
  for (const [name, entry] of header.entries) {
    const wrong = misplaced(entry, size - 8 - length)
    if (wrong) return yield* places.fail(`tensor ${name}`, wrong)
  }
  return { ...header, body: 8 + length }
})

/** Reads `data`, whose last bytes are those of the file from `from` on. */
const fill = <A extends Float32Array | Uint16Array>(
  places: Places,
  data: A,
  bytes: number,
  from: number,
  place: string
) => Effect.as(places.readInto(new Uint8Array(data.buffer as ArrayBuffer, data.byteLength - bytes), from, place), data)

/** Open until the scope ends. */
export const open = Effect.fnUntraced(function*(path: string) {
  const fs = yield* FileSystem.FileSystem
  const places = new Places(path, yield* fs.open(path, { flag: "r" }).pipe(located(path)))
  const { body, entries, metadata } = yield* readHeader(places)
  const half = (name: string) => narrow[entries.get(name)!.dtype]
  const whereIs = (name: string) => {
    const { data_offsets: [start, end], dtype, shape } = entries.get(name)!
    return { bytes: end - start, count: Nd.size(shape), dtype, from: body + start, place: `tensor ${name}`, shape }
  }
  const words = Effect.fnUntraced(function*(name: string) {
    const { bytes, count, from, place } = whereIs(name)
    const data = yield* fill(places, new Uint16Array(count), bytes, from, place)
    const bad = firstInfinite(data, half(name)!)
    return bad < 0
      ? data
      : yield* places.fail(place, `element ${bad} is ${fromWords(data.slice(bad, bad + 1), half(name)!)[0]}`)
  })
  /** Stored halves lie in the second half of their own array first. */
  const read = Effect.fnUntraced(function*(name: string) {
    const { bytes, count, dtype, from, place, shape } = whereIs(name)
    if (!(dtype in widths)) {
      return yield* places.fail(place, `element type ${dtype} is not one of ${Object.keys(widths).join(", ")}`)
    }
    const data = yield* fill(places, new Float32Array(count), bytes, from, place)
    const type = half(name)
    if (type) fromWords(new Uint16Array(data.buffer, bytes), type, data)
    const bad = Finite.firstInfinite(data)
    if (bad >= 0) return yield* places.fail(place, `element ${bad} is ${data[bad]}`)
    return { shape, data } satisfies StoredTensor as StoredTensor
  })
  return { path, entries, metadata, read, half, words } satisfies TensorFile as TensorFile
})
