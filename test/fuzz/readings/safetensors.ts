/** Safetensors files, read a second time by the letter of the format. */
import { isList, isObject, type Json } from "../edits/json.ts"
import { decoded, depth, parsed, repeats } from "./json.ts"
import { bad } from "./records.ts"

/** Bits of an element. */
export const bits: Readonly<Record<string, number>> = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  I16: 16,
  U16: 16,
  I32: 32,
  U32: 32,
  I64: 64,
  U64: 64,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F8_E4M3: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2: 8,
  F8_E5M2FNUZ: 8,
  F8_E8M0: 8,
  F16: 16,
  BF16: 16,
  F32: 32,
  F64: 64,
  C64: 64
}

const power = (exponent: number, fraction: number): number => fraction * 2 ** exponent

/** The number of a word of so many bits of exponent and fraction. */
export const float = (word: number, exponents: number, fractions: number): number => {
  const sign = word >> (exponents + fractions) & 1 ? -1 : 1
  const [exponent, fraction] = [word >> fractions & 2 ** exponents - 1, word & 2 ** fractions - 1]
  const bias = 2 ** (exponents - 1) - 1
  if (exponent === 2 ** exponents - 1) return fraction === 0 ? sign * Infinity : NaN
  return sign * (exponent === 0
    ? power(1 - bias - fractions, fraction)
    : power(exponent - bias - fractions, fraction + 2 ** fractions))
}

const readers: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  F32: (view, at) => view.getFloat32(at, true),
  F16: (view, at) => float(view.getUint16(at, true), 5, 10),
  BF16: (view, at) => float(view.getUint16(at, true), 8, 7)
}

/** The numbers of an element type that weights have; `undefined` for another type. */
export const numbers = (dtype: string, bytes: Uint8Array): ReadonlyArray<number> | undefined => {
  const read = Object.hasOwn(readers, dtype) ? readers[dtype] : undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const width = bits[dtype]! / 8
  return read && Array.from({ length: bytes.length / width }, (_, i) => read(view, i * width))
}

export interface OwnTensor {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly bytes: Uint8Array
}
export interface OwnFile {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, OwnTensor>
}

/** JSON as its text has it. @throws Bad where it is none. */
export const jsonOf = (text: string): Json => {
  if (!parsed(text)) return bad("no JSON")
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/gs) ?? []
  let at = 0
  const members = <A>(close: string, member: () => A): ReadonlyArray<A> => {
    const all: Array<A> = []
    at++
    while (tokens[at] !== close) {
      all.push(member())
      if (tokens[at] === ",") at++
    }
    at++
    return all
  }
  const value = (): Json => {
    if (tokens[at] === "[") return { items: members("]", value) }
    if (tokens[at] === "{") {
      return {
        entries: members("}", () => {
          const key = tokens[at]!
          at += 2
          return [key, value()] as const
        })
      }
    }
    return tokens[at++]!
  }
  return value()
}

/** The texts of a JSON text, keys among them. */
const texts = (text: string): ReadonlyArray<string> =>
  (text.match(/"(?:[^"\\]|\\.)*"/gs) ?? []).map((own) => JSON.parse(own) as string)

const stringOf = (json: Json | undefined): string => {
  const value: unknown = typeof json === "string" && json.startsWith("\"") ? JSON.parse(json) : undefined
  return typeof value === "string" ? value : bad("no text")
}

/** An unsigned integer, written as one. */
const natural = (json: Json | undefined): number =>
  typeof json === "string" && /^\d+$/.test(json) && Number.isSafeInteger(Number(json)) ? Number(json) : bad("no size")

const objectOf = (json: Json): ReadonlyMap<string, Json> =>
  new Map(isObject(json) ? json.entries.map(([key, value]) => [stringOf(key), value]) : bad("no object"))

const listOf = (json: Json | undefined): ReadonlyArray<number> =>
  json !== undefined && isList(json) ? json.items.map(natural) : bad("no list")

/** Bits of a tensor, in numbers of 64 bits as the format's own library counts. */
const sizeOf = (dtype: string, shape: ReadonlyArray<number>): bigint =>
  [...shape, bits[dtype]!].reduce((size, n) => {
    const next = size * BigInt(n)
    return next < 2n ** 64n ? next : bad("more than can be counted")
  }, 1n)

interface Entry {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly start: number
  readonly end: number
}

const entryOf = (json: Json): Entry => {
  const fields = objectOf(json)
  const [dtype, shape] = [stringOf(fields.get("dtype")), listOf(fields.get("shape"))]
  const [start, end, ...rest] = listOf(fields.get("data_offsets"))
  if (start === undefined || end === undefined || rest.length > 0) return bad("no two places")
  if (!Object.hasOwn(bits, dtype)) return bad("no type")
  if (sizeOf(dtype, shape) !== 8n * (BigInt(end) - BigInt(start))) return bad("another size")
  return { dtype, shape, start, end }
}

/** The bytes of all tensors, one after the other without a hole, are all there are. */
const checkPlaces = (entries: ReadonlyArray<Entry>, size: number): void => {
  let at = 0
  for (const { end, start } of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) bad("a hole, or one over another")
    at = end
  }
  if (at !== size) bad("another number of bytes")
}

/** @throws Bad where the reference library refuses the file, or the format says that it is none. */
export const fileOf = (bytes: Uint8Array): OwnFile => {
  if (bytes.length < 8) return bad("no length")
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (length > 100_000_000n || 8n + length > BigInt(bytes.length)) return bad("no header")
  const [head, body] = [bytes.subarray(8, 8 + Number(length)), bytes.subarray(8 + Number(length))]
  const text = decoded(head) ?? bad("no UTF-8")
  if (head[0] !== 0x7b || depth(text) > 3) return bad("no header of the format")
  const json = jsonOf(text)
  if (repeats(text)) return bad("a key twice")
  if (!texts(text).every((own) => own.isWellFormed())) return bad("half a character")
  const { "__metadata__": own = "null", ...rest } = Object.fromEntries(objectOf(json))
  const entries = Object.entries(rest).map(([name, json]) => [name, entryOf(json)] as const)
  checkPlaces(entries.map(([, entry]) => entry), body.length)
  const metadata = own === "null" ? [] : [...objectOf(own)].map(([key, json]) => [key, stringOf(json)] as const)
  return {
    metadata: Object.fromEntries(metadata),
    tensors: new Map(
      entries.map(([name, { dtype, end, shape, start }]) => [name, { dtype, shape, bytes: body.slice(start, end) }])
    )
  }
}

/** What weights a file has: finite numbers by name. @throws Bad where it has others. */
export const weightsOf = (tensors: OwnFile["tensors"]): Readonly<Record<string, ReadonlyArray<number>>> =>
  Object.fromEntries([...tensors].map(([name, { bytes, dtype }]) => {
    const values = numbers(dtype, bytes) ?? bad(`${name} is of another type`)
    return [name, values.every(Number.isFinite) ? values : bad(`${name} is not finite`)]
  }))
