/** Values of a GGUF file's metadata, decoded when they are asked for. */
import { brief } from "../../../domain/brief.ts"
import { Malformed } from "./malformed.ts"

/** Where a value is: its type, or that of a list's elements. */
export interface Located {
  readonly type: number
  readonly list: boolean
  readonly count: number
  /** Offset of the value, or of a list's first element. */
  readonly at: number
}

/** A value of metadata. */
export type Value = number | boolean | string | ReadonlyArray<number> | ReadonlyArray<boolean> | ReadonlyArray<string>

/** Metadata by key; a missing key without a default, or a value of another kind, throws `Malformed`. */
export interface Metadata {
  readonly keys: ReadonlyArray<string>
  readonly has: (key: string) => boolean
  readonly value: (key: string) => Value
  readonly number: (key: string, otherwise?: number) => number
  /** A whole number from 0. */
  readonly count: (key: string, otherwise?: number) => number
  readonly flag: (key: string, otherwise?: boolean) => boolean
  readonly text: (key: string, otherwise?: string) => string
  readonly texts: (key: string) => ReadonlyArray<string>
  readonly numbers: (key: string) => ReadonlyArray<number>
}

/** Numbers of types that are treated apart. */
const [FLOAT32, STRING] = [6, 8]

const safe = (value: bigint): number => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : NaN
}

/** The shortest decimal number that is this float32: 1e-5 instead of 9.999999747378752e-6. */
const shortest = (value: number): number => {
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** Readers of scalars, by type: the number of bytes, and the value at an offset. */
const scalars: ReadonlyMap<number, readonly [bytes: number, read: (view: DataView, at: number) => number | boolean]> =
  new Map<number, readonly [number, (view: DataView, at: number) => number | boolean]>([
    [0, [1, (view, at) => view.getUint8(at)]],
    [1, [1, (view, at) => view.getInt8(at)]],
    [2, [2, (view, at) => view.getUint16(at, true)]],
    [3, [2, (view, at) => view.getInt16(at, true)]],
    [4, [4, (view, at) => view.getUint32(at, true)]],
    [5, [4, (view, at) => view.getInt32(at, true)]],
    [6, [4, (view, at) => view.getFloat32(at, true)]],
    [7, [1, (view, at) => view.getUint8(at) === 0 ? false : view.getUint8(at) === 1 ? true : NaN]],
    [10, [8, (view, at) => safe(view.getBigUint64(at, true))]],
    [11, [8, (view, at) => safe(view.getBigInt64(at, true))]],
    [12, [8, (view, at) => view.getFloat64(at, true)]]
  ])

/** The texts one after another from an offset. */
const textsAt = (bytes: Uint8Array, view: DataView, key: string, { at, count }: Located): ReadonlyArray<string> => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  const texts: Array<string> = []
  for (let i = 0, from = at; i < count; i++) {
    const end = from + 8 + Number(view.getBigUint64(from, true))
    try {
      texts.push(decoder.decode(bytes.subarray(from + 8, end)))
    } catch {
      throw new Malformed(key, count > 1 ? `element ${i} is no UTF-8` : "is no UTF-8")
    }
    from = end
  }
  return texts
}

const scalarsAt = (view: DataView, key: string, { at, count, type }: Located): ReadonlyArray<number | boolean> => {
  const [width, read] = scalars.get(type)!
  return Array.from({ length: count }, (_, i) => {
    const value = read(view, at + i * width)
    if (Number.isFinite(Number(value))) return value
    throw new Malformed(key, "has a value that is no number, or beyond what is exact")
  })
}

/** The metadata whose values are in `bytes`. */
export const metadataOf = (bytes: Uint8Array, entries: ReadonlyMap<string, Located>): Metadata => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const value = (key: string): Value => {
    const where = entries.get(key)
    if (!where) throw new Malformed(key, "is not there")
    const all = where.type === STRING ? textsAt(bytes, view, key, where) : scalarsAt(view, key, where)
    if (where.list) return all as Value
    return where.type === FLOAT32 ? shortest(all[0] as number) : all[0]!
  }
  const asked = <A>(key: string, what: string, is: (value: unknown) => boolean, otherwise?: A): A => {
    if (otherwise !== undefined && !entries.has(key)) return otherwise
    const found = value(key)
    if (is(found)) return found as A
    throw new Malformed(key, `${brief(found)} is not ${what}`)
  }
  const isNumber = (found: unknown): found is number => typeof found === "number"
  const listOf = (is: (element: unknown) => boolean) => (found: unknown) => Array.isArray(found) && found.every(is)
  return {
    keys: [...entries.keys()],
    has: (key) => entries.has(key),
    value,
    number: (key, otherwise) => asked(key, "a number", isNumber, otherwise),
    count: (key, otherwise) => asked(key, "a whole number", (v) => Number.isInteger(v) && Number(v) >= 0, otherwise),
    flag: (key, otherwise) => asked(key, "true or false", (found) => typeof found === "boolean", otherwise),
    text: (key, otherwise) => asked(key, "a text", (found) => typeof found === "string", otherwise),
    texts: (key) => asked(key, "a list of texts", listOf((each) => typeof each === "string")),
    numbers: (key) => asked(key, "a list of numbers", listOf(isNumber))
  }
}
