/** A batch of rows with typed columns. Columns are append-only: no stage edits another stage's output. */
import { Field, makeData, RecordBatch, Schema, Struct } from "apache-arrow"
import type { AnyColumn, Block, Blocks, Columns } from "./Columns.ts"

/** `rows` rows of `columns`, stored as an Arrow record batch. */
export interface Frame<out C extends Columns> {
  readonly rows: number
  readonly columns: C
  readonly batch: RecordBatch
}

/** A block that does not have one value, or one list of the declared size, per row: a bug in a stage. */
export class FrameError extends Error {
  override readonly name = "FrameError"
}

const check = (name: string, column: AnyColumn, block: { readonly length: number }, rows: number): void => {
  const expected = rows * column.width
  if (block.length !== expected) {
    throw new FrameError(`column ${name} has ${block.length} values for ${rows} rows of ${column.width}`)
  }
}

const build = (columns: Columns, blocks: Readonly<Record<string, any>>, rows: number) =>
  Object.entries(columns).map(([name, column]) => {
    check(name, column, blocks[name], rows)
    return { field: new Field(name, column.type, false), data: column.encode(blocks[name], rows) }
  })

const assemble = (parts: ReturnType<typeof build>, rows: number): RecordBatch => {
  const schema = new Schema(parts.map((p) => p.field))
  const children = parts.map((p) => p.data)
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }))
}

/** A frame of these values; throws `FrameError` if a block's length does not match its column and `rows`. */
export const make = <const C extends Columns>(rows: number, columns: C, blocks: Blocks<C>): Frame<C> => ({
  rows,
  columns,
  batch: assemble(build(columns, blocks, rows), rows)
})

/** The frame with more columns; throws `FrameError` if a name is taken or a block has the wrong length. */
export const append = <C extends Columns, const A extends Columns>(
  self: Frame<C>,
  columns: A,
  blocks: Blocks<A>
): Frame<C & A> => {
  const known = self.batch.schema.fields.map((field, i) => ({ field, data: self.batch.data.children[i]! }))
  const taken = known.find(({ field }) => field.name in columns)
  if (taken) throw new FrameError(`column ${taken.field.name} is already there`)
  const batch = assemble([...known, ...build(columns, blocks, self.rows)], self.rows)
  return { rows: self.rows, columns: { ...self.columns, ...columns }, batch }
}

/** The block of a column; numeric blocks are views of Arrow's memory. */
export const column = <C extends Columns, K extends keyof C & string>(self: Frame<C>, name: K): Block<C[K]> =>
  self.columns[name]!.decode(self.batch.getChild(name)!.data[0]!) as Block<C[K]>

/** A frame over a batch read from disk; its schema must contain the columns with their types. */
export const fromBatch = <const C extends Columns>(columns: C, batch: RecordBatch): Frame<C> => {
  for (const [name, { type }] of Object.entries<AnyColumn>(columns)) {
    const found = batch.schema.fields.find((f) => f.name === name)?.type
    if (String(found) !== String(type)) throw new FrameError(`column ${name} is ${String(found)}, not ${String(type)}`)
  }
  return { rows: batch.numRows, columns, batch }
}
