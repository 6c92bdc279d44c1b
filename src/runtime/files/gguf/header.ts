/** The header of a GGUF file, formats 2 and 3: metadata by key, and type, shape and place of each tensor. */
import * as Effect from "effect/Effect"
import { brief } from "../../../domain/brief.ts"
import { FileError, type Reading } from "../disk.ts"
import { nameOf, type TensorType, types } from "./blocks/types.ts"
import { guarded, Malformed } from "./malformed.ts"
import { type Located, type Metadata, metadataOf } from "./metadata.ts"

/** A tensor's entry in the header. */
export interface Entry {
  readonly type: TensorType
  /** Row-major: the last size is that of a row, which the file states first. */
  readonly shape: ReadonlyArray<number>
  /** Offset of its first byte in the file. */
  readonly from: number
  readonly bytes: number
}

/** What a file's header states. */
export interface Header {
  readonly version: number
  readonly metadata: Metadata
  readonly tensors: ReadonlyMap<string, Entry>
}

const MAGIC = 0x46554747
/** Longest header that is read, in bytes: an order of magnitude above any vocabulary. */
const LONGEST = 2 ** 28
/** Bytes of a header that are read at first. */
const FIRST = 2 ** 20
/** Fewest bytes of an entry of metadata (empty key, type, one byte) and of a tensor's (name, sizes, type, offset). */
const LEAST = { entry: 13, tensor: 32 }
const USUAL_ALIGNMENT = 32

/** Thrown where the header goes on beyond what has been read of it. */
class Short extends Error {}

/** Sizes of the scalar types of metadata values, by number; strings and arrays apart. */
const widths: ReadonlyMap<number, number> = new Map(
  [1, 1, 2, 2, 4, 4, 4, 1].map((bytes, type) => [type, bytes] as const).concat([[10, 8], [11, 8], [12, 8]])
)
const [STRING, ARRAY] = [8, 9]

/** The beginning of a file, read from front to back. */
const cursorOf = (bytes: Uint8Array, size: number) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const skip = (n: number, place: string): number => {
    if (at + n > size) throw new Malformed(place, `needs ${n} bytes at byte ${at} of ${size}: the file is truncated`)
    if (at + n > LONGEST) throw new Malformed("header", `is longer than ${LONGEST} bytes`)
    if (at + n > bytes.length) throw new Short()
    at += n
    return at - n
  }
  const u32 = (place: string) => view.getUint32(skip(4, place), true)
  /** A size or an offset; beyond 2^53 it is beyond any file. */
  const u64 = (place: string): number => Number(view.getBigUint64(skip(8, place), true))
  const text = (place: string): string => {
    const length = u64(place)
    const from = skip(length, place)
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, from + length))
    } catch {
      throw new Malformed(place, "has a name that is no UTF-8")
    }
  }
  return { at: () => at, skip, text, u32, u64 }
}
type Cursor = ReturnType<typeof cursorOf>

/** Passes over a value; returns where it is. */
const locate = (cursor: Cursor, key: string): Located => {
  const type = cursor.u32(key)
  const element = type === ARRAY ? cursor.u32(key) : type
  const count = type === ARRAY ? cursor.u64(key) : 1
  const at = cursor.at()
  const width = widths.get(element)
  if (width === undefined && element !== STRING) {
    throw new Malformed(key, element === ARRAY ? "is a list of lists" : `has a value of the unknown type ${element}`)
  }
  if (width !== undefined) cursor.skip(count * width, key)
  else for (let i = 0; i < count; i++) cursor.skip(cursor.u64(key), key)
  return { type: element, list: type === ARRAY, count, at }
}

/** Shape, type and offset as a tensor's entry states them. */
interface Stated {
  readonly name: string
  readonly type: TensorType
  readonly shape: ReadonlyArray<number>
  readonly offset: number
  readonly bytes: number
}

const statedOf = (cursor: Cursor): Stated => {
  const name = cursor.text("header")
  const place = `tensor ${name}`
  const dimensions = cursor.u32(place)
  if (dimensions < 1 || dimensions > 4) throw new Malformed(place, `has ${dimensions} dimensions, not 1 to 4`)
  const shape = Array.from({ length: dimensions }, () => cursor.u64(place)).toReversed()
  const id = cursor.u32(place)
  const type = types.get(id)
  const offset = cursor.u64(place)
  if (type === undefined) {
    const known = [...types.values()].map((each) => each.name).join(", ")
    throw new Malformed(place, `its type ${nameOf(id)} is not read here (read are ${known})`)
  }
  if (shape.includes(0)) throw new Malformed(place, `has the shape [${shape.join()}], and so no values`)
  if (shape.at(-1)! % type.block !== 0) {
    throw new Malformed(place, `rows of ${shape.at(-1)} values are not in blocks of ${type.block} (${type.name})`)
  }
  const bytes = shape.reduce((size, n) => size * n, type.bytes / type.block)
  return { name, type, shape, offset, bytes }
}

const padded = (at: number, alignment: number): number => Math.ceil(at / alignment) * alignment

/** The places in the file; fails unless tensors follow each other, each on the alignment, to the file's end. */
const placed = (all: ReadonlyArray<Stated>, start: number, size: number, alignment: number) => {
  let next = 0
  for (const { bytes, name, offset } of all.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    const fail = (reason: string) => new Malformed(`tensor ${name}`, reason)
    if (offset % alignment !== 0) {
      throw fail(`starts at byte ${offset} of the data, which is no multiple of ${alignment}`)
    }
    if (offset < next) throw fail(`starts at byte ${offset} of the data, within another that ends at ${next}`)
    if (offset !== next) throw fail(`starts at byte ${offset} of the data, where ${next} is the next that is free`)
    if (start + offset + bytes > size) {
      throw fail(`ends at byte ${start + offset + bytes} of ${size}: the file is truncated`)
    }
    next = padded(offset + bytes, alignment)
  }
  if (start + next < size) throw new Malformed("header", `${size - start - next} bytes at the end belong to no tensor`)
  return new Map(
    all.map(({ bytes, name, offset, shape, type }) => [name, { type, shape, from: start + offset, bytes }])
  )
}

/** Magic number and version. */
const versionOf = (cursor: Cursor): number => {
  if (cursor.u32("header") !== MAGIC) throw new Malformed("header", "is not GGUF; a model is a folder or a GGUF file")
  const version = cursor.u32("header")
  if (version !== 0 && (version & 0xffff) === 0) throw new Malformed("header", "is big-endian, which is not read here")
  if (version !== 2 && version !== 3) throw new Malformed("header", `is of format ${version}; 2 and 3 are read here`)
  return version
}

const alignmentOf = (metadata: Metadata): number => {
  const alignment = metadata.count("general.alignment", USUAL_ALIGNMENT)
  if (alignment >= 8 && Number.isInteger(Math.log2(alignment))) return alignment
  throw new Malformed("general.alignment", `${alignment} is no power of two from 8`)
}

/** Refuses a count of entries that cannot be in a file of this size. */
const plausible = (what: string, count: number, least: number, size: number): number => {
  if (count * least <= size) return count
  throw new Malformed("header", `states ${count} ${what}, for which ${size} bytes are too few`)
}

/** @throws Malformed, or Short if the header is longer than `bytes`. */
const parse = (bytes: Uint8Array, size: number): Header => {
  const cursor = cursorOf(bytes, size)
  const version = versionOf(cursor)
  const tensorCount = plausible("tensors", cursor.u64("header"), LEAST.tensor, size)
  const entryCount = plausible("entries", cursor.u64("header"), LEAST.entry, size)
  const entries = new Map<string, Located>()
  for (let i = 0; i < entryCount; i++) {
    const key = cursor.text("header")
    if (entries.has(key)) throw new Malformed(key, "is there twice")
    entries.set(key, locate(cursor, brief(key)))
  }
  const metadata = metadataOf(bytes, entries)
  const stated = new Map<string, Stated>()
  for (let i = 0; i < tensorCount; i++) {
    const one = statedOf(cursor)
    if (stated.has(one.name)) throw new Malformed(`tensor ${one.name}`, "is there twice")
    stated.set(one.name, one)
  }
  const alignment = alignmentOf(metadata)
  return { version, metadata, tensors: placed([...stated.values()], padded(cursor.at(), alignment), size, alignment) }
}

/** Reads the header: four times as much of the file until all of it is there, so that work is linear. */
export const readHeader = Effect.fnUntraced(function*({ into, path, size }: Reading) {
  for (let length = FIRST;; length *= 4) {
    const bytes = yield* into(new Uint8Array(Math.min(length, size)), 0, "header")
    const header = yield* guarded(path, () => {
      try {
        return parse(bytes, size)
      } catch (cause) {
        if (cause instanceof Short) return undefined
        throw cause
      }
    })
    if (header) return header
    if (length > LONGEST) return yield* new FileError({ path, place: "header", reason: "does not end" })
  }
})
