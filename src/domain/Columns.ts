/** Columns are declared once; row types, Arrow fields and value blocks are all derived from the declaration. */
import { type Data, type DataType, Field, FixedSizeList, Float32, Int32, List, makeData, Utf8 } from "apache-arrow"

/** A list of strings of any length per row. */
export type Texts = ReadonlyArray<ReadonlyArray<string>>

/**
 * A column: its Arrow type, and how a block of `rows` values becomes Arrow data and is read back.
 * Numeric blocks are typed arrays of rows × width elements, shared with Arrow, never copied.
 */
export interface Column<B> {
  readonly type: DataType
  /** Elements per row of the block; 0 where rows differ in length. */
  readonly width: number
  readonly encode: (block: B, rows: number) => Data
  readonly decode: (data: Data) => B
}
/** A column of any type. */
export type AnyColumn = Column<any>
/** Columns by name. */
export type Columns = Readonly<Record<string, AnyColumn>>
/** The values of a column, as a stage reads and writes them. */
export type Block<C> = C extends Column<infer B> ? B : never
/** The values of columns, by name. */
export type Blocks<C extends Columns> = { readonly [K in keyof C]: Block<C[K]> }

const utf8 = (values: ReadonlyArray<string>): Data => {
  const parts = values.map((v) => new TextEncoder().encode(v))
  const valueOffsets = new Int32Array(parts.length + 1)
  parts.forEach((p, i) => valueOffsets[i + 1] = valueOffsets[i]! + p.length)
  const data = new Uint8Array(valueOffsets.at(-1)!)
  parts.forEach((p, i) => data.set(p, valueOffsets[i]))
  return makeData({ type: new Utf8(), length: parts.length, nullCount: 0, valueOffsets, data })
}

const readUtf8 = (data: Data): ReadonlyArray<string> => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const { valueOffsets, values } = data as Data<Utf8>
  return Array.from(
    { length: data.length },
    (_, i) => decoder.decode(values.subarray(valueOffsets[i], valueOffsets[i + 1]))
  )
}

const item = (type: DataType) => new Field("item", type, false)

/** A string per row. */
export const text: Column<ReadonlyArray<string>> = { type: new Utf8(), width: 1, encode: utf8, decode: readUtf8 }

/** A list of strings of any length per row. */
export const texts: Column<Texts> = {
  type: new List(item(new Utf8())),
  width: 1,
  encode: (block, rows) => {
    const valueOffsets = new Int32Array(rows + 1)
    block.forEach((list, i) => valueOffsets[i + 1] = valueOffsets[i]! + list.length)
    const type = new List(item(new Utf8()))
    return makeData({ type, length: rows, nullCount: 0, valueOffsets, child: utf8(block.flat()) as Data<Utf8> })
  },
  decode: (data) => {
    const { valueOffsets } = data as Data<List>
    const all = readUtf8(data.children[0]!)
    return Array.from({ length: data.length }, (_, i) => all.slice(valueOffsets[i], valueOffsets[i + 1]))
  }
}

/** A list of integers of any length per row. */
export const ragged: Column<ReadonlyArray<Int32Array>> = {
  type: new List(item(new Int32())),
  width: 1,
  encode: (block, rows) => {
    const valueOffsets = new Int32Array(rows + 1)
    block.forEach((list, i) => valueOffsets[i + 1] = valueOffsets[i]! + list.length)
    const values = new Int32Array(valueOffsets[rows]!)
    block.forEach((list, i) => values.set(list, valueOffsets[i]))
    const child = makeData({ type: new Int32(), data: values })
    return makeData({ type: new List(item(new Int32())), length: rows, nullCount: 0, valueOffsets, child })
  },
  decode: (data) => {
    const { valueOffsets } = data as Data<List>
    const values = data.children[0]!.values as Int32Array
    return Array.from({ length: data.length }, (_, i) => values.slice(valueOffsets[i], valueOffsets[i + 1]))
  }
}

/** A list of float32 values of any length per row. */
export const raggedReals: Column<ReadonlyArray<Float32Array>> = {
  type: new List(item(new Float32())),
  width: 1,
  encode: (block, rows) => {
    const valueOffsets = new Int32Array(rows + 1)
    block.forEach((list, i) => valueOffsets[i + 1] = valueOffsets[i]! + list.length)
    const values = new Float32Array(valueOffsets[rows]!)
    block.forEach((list, i) => values.set(list, valueOffsets[i]))
    const child = makeData({ type: new Float32(), data: values })
    return makeData({ type: new List(item(new Float32())), length: rows, nullCount: 0, valueOffsets, child })
  },
  decode: (data) => {
    const { valueOffsets } = data as Data<List>
    const values = data.children[0]!.values as Float32Array
    return Array.from({ length: data.length }, (_, i) => values.slice(valueOffsets[i], valueOffsets[i + 1]))
  }
}

type Numbers = Int32Array | Float32Array

const numbers = (type: Int32 | Float32, block: Numbers): Data =>
  type instanceof Int32
    ? makeData({ type, data: block as Int32Array })
    : makeData({ type, data: block as Float32Array })

/** A view of the rows × width values: Arrow pads its buffers and shares them between slices of a batch. */
const view = <B extends Numbers>(data: Data, width: number): B =>
  ((data.children[0] ?? data).values as B).subarray(0, data.length * width) as B

const scalars = <B extends Numbers>(type: Int32 | Float32): Column<B> => ({
  type,
  width: 1,
  encode: (block) => numbers(type, block),
  decode: (data) => view<B>(data, 1)
})
const lists = <B extends Numbers>(type: Int32 | Float32, width: number): Column<B> => {
  const list = new FixedSizeList(width, item(type))
  return {
    type: list,
    width,
    encode: (block, rows) => makeData({ type: list, length: rows, nullCount: 0, child: numbers(type, block) }),
    decode: (data) => view<B>(data, width)
  }
}

/** An int32 per row. */
export const integer: Column<Int32Array> = scalars(new Int32())
/** A float32 per row. */
export const real: Column<Float32Array> = scalars(new Float32())
/** `k` integers per row: the block is the contiguous [rows, k] tensor. */
export const integers = (k: number): Column<Int32Array> => lists(new Int32(), k)
/** `k` float32 values per row: a block of [rows, k]. */
export const reals = (k: number): Column<Float32Array> => lists(new Float32(), k)
