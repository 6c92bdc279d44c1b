import { assert, describe, it } from "@effect/vitest"
import { RecordBatchReader, RecordBatchStreamWriter } from "apache-arrow"
import * as fc from "fast-check"
import { integer, integers, ragged, real, reals, text, texts } from "../../src/domain/Columns.ts"
import * as Frame from "../../src/domain/Frame.ts"

const columns = {
  qid: text,
  options: texts,
  gold: ragged,
  row: integer,
  docs: integers(3),
  scores: reals(2),
  loss: real
}

const anyFrame = fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.array(fc.string())), { maxLength: 5 }).map((
  rows
) =>
  Frame.make(rows.length, columns, {
    qid: rows.map(([qid]) => qid.toWellFormed()),
    options: rows.map(([_, options]) => options),
    gold: rows.map(([_, options], i) => Int32Array.from(options, (_, k) => i - k)),
    row: Int32Array.from(rows, (_, i) => i - 2),
    docs: Int32Array.from({ length: rows.length * 3 }, (_, i) => i),
    scores: Float32Array.from({ length: rows.length * 2 }, (_, i) => i / 3),
    loss: Float32Array.from(rows, (_, i) => -i)
  })
)

const blocks = (frame: Frame.Frame<typeof columns>) =>
  Object.fromEntries(Object.keys(columns).map((name) => [name, Frame.column(frame, name as keyof typeof columns)]))

describe("Frame", () => {
  it("shares numeric blocks with Arrow", () => {
    const docs = Int32Array.of(1, 2, 3, 4)
    const frame = Frame.make(2, { docs: integers(2) }, { docs })
    assert.strictEqual(Frame.column(frame, "docs").buffer, docs.buffer)
    assert.deepStrictEqual(Frame.column(frame, "docs"), docs)
  })
  it("is the same after a trip through Arrow IPC", () => {
    fc.assert(fc.property(anyFrame, (frame) => {
      const writer = RecordBatchStreamWriter.writeAll([frame.batch])
      const [batch] = [...RecordBatchReader.from(writer.toUint8Array(true))]
      const back = Frame.fromBatch(columns, batch!)
      assert.deepStrictEqual(blocks(back), blocks(frame))
    }))
  })
  it("refuses blocks that do not fill the rows", () => {
    assert.throws(() => Frame.make(2, { docs: integers(2) }, { docs: new Int32Array(5) }), "5 values for 2 rows of 2")
    assert.throws(() => Frame.make(2, { docs: integers(2) }, { docs: new Int32Array(3) }), "3 values for 2 rows of 2")
    assert.throws(() => Frame.make(1, { qid: text }, { qid: [] }), "0 values for 1 rows")
  })
  it("never replaces a column", () => {
    const frame = Frame.make(1, { row: integer }, { row: Int32Array.of(7) })
    assert.throws(() => Frame.append(frame, { row: integer }, { row: Int32Array.of(8) }), "row is already there")
  })
  it("refuses a batch without the columns", () => {
    const frame = Frame.make(1, { row: integer }, { row: Int32Array.of(7) })
    assert.throws(() => Frame.fromBatch({ docs: integers(2) }, frame.batch), "column docs is undefined")
  })
})
