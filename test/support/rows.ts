/** Frames for stage tests: the tiny questions as rows, and rows in another order. */
import * as Batches from "../../src/datasets/batches.ts"
import type { Blocks, Columns } from "../../src/domain/Columns.ts"
import * as Frame from "../../src/domain/Frame.ts"
import type { QuestionRecord } from "../../src/domain/records/Records.ts"
import { passages, questions } from "./tiny.ts"

export const texts: ReadonlyArray<string> = passages.map((p) => p.text)
const rowOf = (id: string): number => passages.findIndex((p) => p.id === id)

export const frame = (step = 3, records: ReadonlyArray<QuestionRecord> = questions): Batches.QuestionFrame =>
  Batches.frame(records, step, { row: rowOf })

export const blocks = <C extends Columns>(rows: Frame.Frame<C>): Blocks<C> =>
  Object.fromEntries(Object.keys(rows.columns).map((name) => [name, Frame.column(rows, name)])) as Blocks<C>

/** Row `r` of a block, whatever its width. */
export const rowOfBlock = <A>(block: ArrayLike<A>, rows: number, r: number): ReadonlyArray<A> => {
  const width = block.length / rows
  return Array.from({ length: width }, (_, i) => block[r * width + i]!)
}

const reordered = (block: any, rows: number, order: ReadonlyArray<number>) => {
  const values = order.flatMap((r) => [...rowOfBlock(block, rows, r)])
  return Array.isArray(block) ? values : block.constructor.from(values)
}

/** The same rows in another order. */
export const permute = <C extends Columns>(rows: Frame.Frame<C>, order: ReadonlyArray<number>): Frame.Frame<C> => {
  const moved = Object.entries(blocks(rows)).map(([name, block]) => [name, reordered(block, rows.rows, order)])
  return Frame.make(rows.rows, rows.columns, Object.fromEntries(moved))
}
