/** GGUF files, read a second time by the letter of the format: front to back, every value, every block. */
import { bad } from "./records.ts"
import { float } from "./safetensors.ts"

/** A value of metadata, or a list of such. */
type Scalar = bigint | boolean | number | string
type Value = Scalar | ReadonlyArray<Scalar>

interface OwnTensor {
  readonly type: number
  readonly shape: ReadonlyArray<number>
  /** `undefined` for types that are not decoded here. */
  readonly values: ReadonlyArray<number> | undefined
}
export interface OwnFile {
  readonly metadata: Readonly<Record<string, Value>>
  readonly tensors: Readonly<Record<string, OwnTensor>>
}

const half = (view: DataView, at: number): number => float(view.getUint16(at, true), 5, 10)
const nibble = (view: DataView, at: number, j: number): number => view.getUint8(at + j % 16) >> (j < 16 ? 0 : 4) & 15
const fifth = (view: DataView, at: number, j: number): number => (view.getUint32(at, true) >>> j & 1) * 16
const uneven = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

/** An element type: values and bytes of a block, and the `j`th value of a block. */
type Type = readonly [values: number, bytes: number, value?: (view: DataView, at: number, j: number) => number]
const types: Readonly<Record<number, Type>> = {
  0: [1, 4, (view, at) => view.getFloat32(at, true)],
  1: [1, 2, half],
  30: [1, 2, (view, at) => float(view.getUint16(at, true), 8, 7)],
  2: [32, 18, (view, at, j) => half(view, at) * (nibble(view, at + 2, j) - 8)],
  3: [32, 20, (view, at, j) => half(view, at) * nibble(view, at + 4, j) + half(view, at + 2)],
  6: [32, 22, (view, at, j) => half(view, at) * (nibble(view, at + 6, j) + fifth(view, at + 2, j) - 16)],
  7: [
    32,
    24,
    (view, at, j) => half(view, at) * (nibble(view, at + 8, j) + fifth(view, at + 4, j)) + half(view, at + 2)
  ],
  8: [32, 34, (view, at, j) => half(view, at) * view.getInt8(at + 2 + j)],
  20: [32, 18, (view, at, j) => half(view, at) * uneven[nibble(view, at + 2, j)]!],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210]
}

const finite = (value: number): number => Number.isFinite(value) ? value : bad("no number")
const exact = (value: bigint): bigint =>
  value >= -(2n ** 53n) + 1n && value < 2n ** 53n ? value : bad("beyond what is exact")

/** Scalars of metadata by type: bytes, and how they are read. */
const scalars: Readonly<Record<number, readonly [number, (view: DataView, at: number) => Scalar]>> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => finite(view.getFloat32(at, true))],
  7: [1, (view, at) => view.getUint8(at) < 2 ? view.getUint8(at) === 1 : bad("neither true nor false")],
  10: [8, (view, at) => exact(view.getBigUint64(at, true))],
  11: [8, (view, at) => exact(view.getBigInt64(at, true))],
  12: [8, (view, at) => finite(view.getFloat64(at, true))]
}
const [STRING, LIST] = [8, 9]

const reading = (bytes: Uint8Array) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const take = (size: number): number => {
    if (at + size > bytes.length) bad("cut")
    return (at += size) - size
  }
  const u32 = () => view.getUint32(take(4), true)
  const u64 = () => Number(view.getBigUint64(take(8), true))
  const text = (): string => {
    const size = u64()
    const from = take(size)
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, from + size))
    } catch {
      return bad("no UTF-8")
    }
  }
  const one = (type: number): Scalar => {
    if (type === STRING) return text()
    const [size, read] = scalars[type] ?? bad("an unknown type of value")
    return read(view, take(size))
  }
  const value = (): Value => {
    const type = u32()
    if (type !== LIST) return one(type)
    const [element, count, all] = [u32(), u64(), new Array<Scalar>()]
    if (element !== STRING && !scalars[element]) bad("an unknown type of element")
    for (let i = 0; i < count; i++) all.push(one(element))
    return all
  }
  return { view, at: () => at, u32, u64, text, value }
}
type Reading = ReturnType<typeof reading>

interface Entry {
  readonly name: string
  readonly type: number
  readonly shape: ReadonlyArray<number>
  readonly offset: number
  readonly bytes: number
}

const entryOf = ({ text, u32, u64 }: Reading): Entry => {
  const [name, dimensions] = [text(), u32()]
  if (dimensions < 1 || dimensions > 4) bad("no dimensions, or too many")
  const shape = Array.from({ length: dimensions }, u64).toReversed()
  const [type, offset] = [u32(), u64()]
  const [values, size] = types[type] ?? bad("an unknown type of tensor")
  if (shape.some((n) => n === 0) || shape.at(-1)! % values !== 0) bad("no whole blocks")
  return { name, type, shape, offset, bytes: shape.reduce((a, b) => a * b) / values * size }
}

const alignmentOf = (value: Value = 32): number => {
  const alignment = typeof value === "bigint" ? Number(value) : value
  if (typeof alignment !== "number" || alignment < 8) return bad("no alignment")
  return /^10*$/.test(alignment.toString(2)) ? alignment : bad("no alignment")
}

/** Each name once. */
const once = <A>(entries: ReadonlyArray<readonly [string, A]>): Readonly<Record<string, A>> =>
  new Set(entries.map(([name]) => name)).size === entries.length ? Object.fromEntries(entries) : bad("a name twice")

/** @throws Bad where the format says that it is none. */
export const fileOf = (bytes: Uint8Array): OwnFile => {
  const own = reading(bytes)
  if (own.u32() !== 0x46554747 || ![2, 3].includes(own.u32())) return bad("another format")
  const counts = [own.u64(), own.u64()] as const
  /** Read one by one: a count may be beyond all that can be there. */
  const several = <A>(count: number, read: () => A): ReadonlyArray<A> => {
    const all: Array<A> = []
    for (let i = 0; i < count; i++) all.push(read())
    return all
  }
  const metadata = once(several(counts[1], () => [own.text(), own.value()] as const))
  const entries = several(counts[0], () => entryOf(own))
  const alignment = alignmentOf(
    Object.hasOwn(metadata, "general.alignment") ? metadata["general.alignment"] : undefined
  )
  const padded = (size: number) => Math.ceil(size / alignment) * alignment
  const start = padded(own.at())
  let next = 0
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset !== next || start + next + entry.bytes > bytes.length) bad("a hole, or one over another, or cut")
    next = padded(next + entry.bytes)
  }
  if (start + next < bytes.length) bad("bytes of no tensor")
  return {
    metadata,
    tensors: once(entries.map(({ name, offset, shape, type }) => {
      const [count, size, value] = types[type]!
      const read = (i: number) => value!(own.view, start + offset + Math.floor(i / count) * size, i % count)
      const length = shape.reduce((a, b) => a * b)
      const values = value && Array.from({ length }, (_, i) => finite(Math.fround(read(i))))
      return [name, { type, shape, values }]
    }))
  }
}
